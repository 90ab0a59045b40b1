/**
 * Rebuilds one read model from the start of the log beside the live one, and swaps them in one step.
 *
 * A second fold reads the topic from offset 0 with a reader of its own, never further than the live fold is. Where it
 * has come to exactly the live fold's position it is done with that partition: from then on the live fold's accepted
 * events of the partition go to both read models. Both are folds of the same prefix of the log then, so a commit that
 * is only half read there makes no difference. When every partition is handed over, both read models are of the same
 * positions at every instant, and they are compared and swapped.
 */
import type { Logger } from 'pino';
import { Breather } from '../snapshot/breather.ts';
import type { DomainEvent, ProjectionDefinition, RecordedEvent } from '../ports.ts';
import type { RebuildOutcome, RebuildProgress, RebuildReport } from './rebuild-report.ts';
import { TopicFold, type FoldFollower } from './topic-fold.ts';
import type { RawRecord, TopicListener, Transport } from './transport.ts';
import { MemoryView } from './view.ts';

type AbortReason = Extract<RebuildOutcome, { kind: 'aborted' }>['reason'];

/** Records folded before it is looked whether others should have a turn. */
const FOLDED_AT_ONCE_MAX = 64;
/** Some keys of rows that differ are named, not all of a million. */
const NAMED_KEYS_MAX = 20;

export interface RebuildParts<Row, E extends DomainEvent> {
  readonly definition: ProjectionDefinition<Row, E>;
  readonly live: TopicFold<E>;
  readonly view: MemoryView<Row, E>;
  readonly transport: Pick<Transport, 'read'>;
  /** Called when the live read model was not what the log says: what was kept of it elsewhere is wrong too. */
  readonly onDiffered: () => Promise<void>;
  readonly logger: Logger;
  readonly deadlineMs: number;
  readonly now: () => number;
}

const reportedBefore = { badRecord: () => undefined, failedFold: () => undefined };

interface Differing {
  rows: number;
  /** At most `NAMED_KEYS_MAX`. */
  readonly keys: string[];
}

class Aborted extends Error {
  override readonly name = 'Aborted';
  readonly reason: AbortReason;

  constructor(reason: AbortReason) {
    super(reason);
    this.reason = reason;
  }
}

export class Rebuild<Row, E extends DomainEvent> implements TopicListener, FoldFollower<E> {
  readonly #parts: RebuildParts<Row, E>;
  /** Arbitrates what is read again; what is wrong with it was reported by the live one, which also remembers verdicts. */
  readonly #fold: TopicFold<E>;
  readonly #shadow: MemoryView<Row, E>;
  readonly #handedOver: boolean[];
  readonly #breather = new Breather();
  readonly #caughtUp = Promise.withResolvers<undefined>();
  readonly #aborted = Promise.withResolvers<never>();
  #abortReason: AbortReason | undefined;
  #over = false;

  constructor(parts: RebuildParts<Row, E>) {
    this.#parts = parts;
    const { definition, live } = parts;
    this.#fold = new TopicFold(definition.topic, live.codec, { maxRejected: 0, report: reportedBefore });
    this.#shadow = new MemoryView(definition, this.#fold);
    this.#fold.addTarget(this.#shadow);
    this.#handedOver = Array.from({ length: definition.topic.partitions }, () => false);
    this.#aborted.promise.catch(() => undefined); // whoever waits for it hears of it
  }

  get status(): RebuildProgress {
    const { definition, live } = this.#parts;
    const { nextOffsets } = live.progress();
    const positions = this.#fold
      .progress()
      .nextOffsets.map((next, partition) =>
        this.isDone(partition) ? (nextOffsets[partition] ?? next) : next,
      );
    return { name: definition.name, topic: definition.topic.name, positions, live: nextOffsets };
  }

  /** Gives up: `run` resolves and nothing was changed. Without effect once they were swapped. */
  abort(reason: AbortReason): void {
    this.#over = true;
    this.#abortReason ??= reason;
    this.#aborted.reject(new Aborted(reason));
  }

  /** Reads, compares, swaps. Resolves also when it was given up. */
  async run(): Promise<RebuildOutcome> {
    const { live, transport, definition, deadlineMs, now } = this.#parts;
    const startedAtMs = now();
    const timer = setTimeout(() => {
      this.abort('deadline');
    }, deadlineMs);
    live.addFollower(this);
    for (const partition of this.#handedOver.keys()) this.#handOver(partition);
    const reading = transport.read(definition.topic.name, this, { pace: 'beside' });
    try {
      await Promise.race([Promise.all([reading, this.#caughtUp.promise]), this.#aborted.promise]);
      const differing = await this.#compare();
      if (this.#abortReason !== undefined) throw new Aborted(this.#abortReason);
      const report = this.#swap(differing, startedAtMs);
      if (report.differed) await this.#parts.onDiffered();
      return { kind: 'rebuilt', report };
    } catch (error) {
      if (error instanceof Aborted) return { kind: 'aborted', reason: error.reason };
      throw error;
    } finally {
      this.#over = true;
      clearTimeout(timer);
      live.removeFollower(this); // also when it was given up
      void reading.then((stop) => stop()).catch(() => undefined);
    }
  }

  // What its own reader asks and delivers.

  progress(partition: number): { readonly next: number; readonly lastCommit: string | undefined } {
    return this.#fold.progress(partition);
  }

  isDone(partition: number): boolean {
    return this.#over || this.#handedOver[partition] === true;
  }

  async onRecords(partition: number, records: readonly RawRecord[]): Promise<void> {
    while (!this.isDone(partition)) {
      const { next } = this.#fold.progress(partition);
      const { next: liveNext } = this.#parts.live.progress(partition);
      const from = records.findIndex(({ offset }) => Number(offset) >= next);
      if (from === -1) return;
      const slice = records.slice(from, from + FOLDED_AT_ONCE_MAX);
      const due = slice.filter(({ offset }) => Number(offset) < liveNext);
      if (due.length === 0) return;
      await this.#fold.onRecords(partition, due);
      if (this.#fold.progress(partition).next === next) return; // a hole, which whoever reads says
      this.#handOver(partition);
      if (this.#breather.due) await this.#breather.pause();
    }
  }

  onDiverged(): void {
    this.abort('log-was-cut');
  }

  // What the live fold tells.

  apply(event: RecordedEvent<E>, partition: number): void {
    if (this.#handedOver[partition] !== true) return;
    try {
      this.#shadow.apply(event);
    } catch {
      // The live read model's fold has thrown on this event too, and that was reported.
    }
  }

  reset(): void {
    this.abort('log-was-cut');
  }

  #handOver(partition: number): void {
    if (this.#fold.progress(partition).next !== this.#parts.live.progress(partition).next) return;
    this.#handedOver[partition] = true;
    if (this.#handedOver.every(Boolean)) this.#caughtUp.resolve(undefined);
  }

  /**
   * Rows that differ. Others may run in between: every event changes both read models in one step, and a fold is pure,
   * so rows that were equal stay equal.
   */
  async #compare(): Promise<Differing> {
    const differing: Differing = { rows: 0, keys: [] };
    for (const key of this.#parts.view.differences(this.#shadow)) {
      if (key === undefined) {
        if (this.#breather.due) await Promise.race([this.#breather.pause(), this.#aborted.promise]);
      } else if (++differing.rows <= NAMED_KEYS_MAX) {
        differing.keys.push(key);
      }
    }
    return differing;
  }

  /** In one step: no event is applied in between. */
  #swap(differing: Differing, startedAtMs: number): RebuildReport {
    const { live, view, logger, now } = this.#parts;
    live.removeFollower(this);
    const { name, topic } = this.#parts.definition;
    const report = {
      name,
      topic: topic.name,
      positions: live.progress().nextOffsets,
      rows: this.#shadow.size,
      events: this.#fold.progress().accepted,
      tookMs: Math.round(now() - startedAtMs),
    };
    if (differing.rows === 0) {
      view.takeOver(this.#shadow);
      logger.info(report, 'the read model was rebuilt and is what it was');
      return { ...report, differed: false };
    }
    const difference = {
      ...differing,
      liveHash: view.stateHash(),
      rebuiltHash: this.#shadow.stateHash(),
    };
    view.takeOver(this.#shadow);
    logger.error({ ...report, difference }, 'the read model was not what the log says; it was replaced');
    return { ...report, differed: true, difference };
  }
}

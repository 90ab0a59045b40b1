/** Acts on accepted events for one consumer group: verdict first, effect next, offset last. */
import { deliver, type AsyncHops, type Failure } from '@parley/delivery';
import type { Logger } from 'pino';
import type { DomainEvent, ReactionDefinition, ReactionStatus, RecordedEvent } from '../ports.ts';
import { Flapping } from './flapping.ts';
import { callKeyOf, HandleCalls } from './handle-calls.ts';
import type { TopicFold } from './topic-fold.ts';
import type { GroupBatch, GroupListener, RawRecord } from './transport.ts';

/** For as long as it takes: an event that fails is not given up. */
const POLICY = { attempts: Number.POSITIVE_INFINITY, backoff: { firstMs: 100, maxMs: 5000 } };
/** Records handled before offsets are committed: what a crash may repeat. */
const CHUNK = 64;
const VERDICT_WAIT_MS = 1000;
/** A handle or a pause may last longer than the group waits for a sign of life. */
const HEARTBEAT_MS = 1000;

type Stalled = NonNullable<ReactionStatus['stalled']>;

/** A batch, and a signal that ends when it is no longer this member's. */
interface Turn {
  readonly batch: GroupBatch;
  readonly signal: AbortSignal;
}

export interface ReactorOptions {
  readonly hops: AsyncHops;
  readonly concurrency: number;
  readonly handleDeadlineMs: number;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export class Reactor<E extends DomainEvent> implements GroupListener {
  readonly definition: ReactionDefinition<E>;
  readonly #fold: TopicFold<E>;
  readonly #options: ReactorOptions;
  readonly #calls: HandleCalls<E>;
  readonly #flapping: Flapping;
  readonly #ends = new Map<number, { committed: number; end: number }>();
  #assigned: readonly number[] = [];
  #joined = false;
  #handled = 0;
  /** Events whose call failed and is to be repeated in this turn: as many as are handled at the same time. */
  readonly #failing = new Map<string, Stalled>();
  /** Events whose call goes on past its deadline, until it ends, whichever turn it was made in. */
  readonly #overdue = new Map<string, Stalled>();

  constructor(definition: ReactionDefinition<E>, fold: TopicFold<E>, options: ReactorOptions) {
    this.definition = definition;
    this.#fold = fold;
    this.#options = options;
    this.#flapping = new Flapping(() => performance.now()); // a clock that is set back would hold it up
    this.#calls = new HandleCalls(definition, {
      hops: options.hops,
      deadlineMs: options.handleDeadlineMs,
      onOverdue: (event, attempt, { message }) => {
        const { position } = event;
        const error = `${message}; it is not called again before it ends`;
        this.#overdue.set(callKeyOf(event), { position, attempt, error });
        const context = { group: definition.group, ...position, attempt, err: message };
        options.logger.warn(context, 'a reaction takes too long; its signal is aborted');
      },
      onEnded: (event) => {
        this.#overdue.delete(callKeyOf(event));
      },
    });
  }

  /** True once its group has let it in, whatever came later. */
  get hasJoined(): boolean {
    return this.#flapping.joins > 0;
  }

  /**
   * Undefined while it is a member of its group and gets on, or tells what holds it up (`obstacle`); else the membership
   * since which this is not so.
   */
  get standsAt(): number | undefined {
    const since = this.#flapping.state?.since;
    if (!this.#joined) return since ?? this.#flapping.joins;
    return this.#worst === undefined ? since : undefined;
  }

  /** One sentence: what it waits for while it stands. */
  get awaits(): string {
    const { group } = this.definition;
    const flapping = this.#flapping.state;
    return flapping === undefined
      ? `consumer group ${group} to let this process in again`
      : `the reaction ${group} to get on, whose consumer has ended ${String(flapping.ends)} times in a row`;
  }

  status(): ReactionStatus {
    let lag = 0;
    for (const partition of this.#assigned) {
      const seen = this.#ends.get(partition);
      if (seen === undefined) continue;
      const { next } = this.#fold.progress(partition); // the log goes on while a batch is held up
      lag += Math.max(0, Math.max(seen.end, next) - seen.committed);
    }
    const { group, topic } = this.definition;
    return {
      group,
      topic: topic.name,
      joined: this.#joined,
      assigned: this.#assigned,
      handled: this.#handled,
      lag,
      stalled: this.#worst,
    };
  }

  /**
   * The event that it fails on or that takes too long. Not its error, which may quote the event: that is in the log of
   * the process.
   */
  get obstacle(): string | undefined {
    const stalled = this.#worst;
    if (stalled === undefined) return undefined;
    const { topic, partition, offset } = stalled.position;
    const at = `${topic}/${String(partition)}@${String(offset)}`;
    return `the reaction ${this.definition.group} to handle ${at}, at attempt ${String(stalled.attempt)}`;
  }

  /** Of the events that fail or take too long, the one that was tried most. */
  get #worst(): Stalled | undefined {
    let worst: Stalled | undefined;
    for (const each of [...this.#failing.values(), ...this.#overdue.values()])
      if (worst === undefined || each.attempt > worst.attempt) worst = each;
    return worst;
  }

  onAssigned(partitions: readonly number[]): void {
    this.#assigned = partitions;
    this.#joined = true;
    this.#flapping.onJoined(partitions);
  }

  onLost(why?: Error): void {
    if (why !== undefined) this.#flapping.onEnded();
    this.#assigned = [];
    this.#joined = false;
    this.#ends.clear(); // another member goes on from there
  }

  async onBatch(batch: GroupBatch): Promise<void> {
    const first = batch.records[0];
    if (first !== undefined)
      this.#ends.set(batch.partition, { committed: Number(first.offset), end: batch.logEnd });
    const lost = new AbortController();
    const ticking = setInterval(() => {
      if (this.#options.signal.aborted) return; // closing: whoever hangs now is given up by the group
      if (!batch.isActive()) lost.abort();
      void batch.heartbeat().catch(() => {
        lost.abort(); // the group re-balances, or is out of reach: whoever is assigned next continues
      });
    }, HEARTBEAT_MS);
    try {
      await this.#inChunks({ batch, signal: AbortSignal.any([this.#options.signal, lost.signal]) });
    } catch (error) {
      this.#flapping.onFailed(batch.partition);
      throw error;
    } finally {
      clearInterval(ticking);
    }
  }

  async #inChunks(turn: Turn): Promise<void> {
    const { batch } = turn;
    for (let start = 0; start < batch.records.length; start += CHUNK) {
      const chunk = batch.records.slice(start, start + CHUNK);
      const done = await this.#chunk(turn, chunk);
      if (!done) return;
      const last = chunk.at(-1);
      if (last === undefined) return;
      const next = Number(last.offset) + 1;
      await batch.commit(next);
      this.#flapping.onCommitted(batch.partition);
      this.#ends.set(batch.partition, { committed: next, end: Math.max(batch.logEnd, next) });
    }
  }

  /** True when every effect of the chunk is confirmed; false when it was interrupted. */
  async #chunk(turn: Turn, chunk: readonly RawRecord[]): Promise<boolean> {
    const { partition } = turn.batch;
    const byStream = new Map<string, RecordedEvent<E>[]>();
    for (const raw of chunk) {
      const accepted = await this.#verdict(turn, Number(raw.offset));
      if (accepted === undefined) return false;
      if (!accepted) continue;
      const event = await this.#fold.recorded(partition, raw);
      if (event === undefined || this.definition.types?.includes(event.event.type) === false) continue;
      const events = byStream.get(event.streamId) ?? [];
      byStream.set(event.streamId, events);
      events.push(event);
    }
    const streams = [...byStream.values()];
    let next = 0;
    const worker = async (): Promise<boolean> => {
      while (next < streams.length) {
        const events = streams[next++] ?? [];
        for (const event of events) if (!(await this.#handle(turn, event))) return false;
      }
      return true;
    };
    const workers = Array.from({ length: Math.min(this.#options.concurrency, streams.length) }, worker);
    return (await Promise.all(workers)).every(Boolean);
  }

  /** Waits for the verdict of the process's own fold. Undefined when interrupted. */
  async #verdict(turn: Turn, offset: number): Promise<boolean | undefined> {
    const { partition } = turn.batch;
    const topic = this.definition.topic.name;
    let upTo = offset;
    while (isActive(turn)) {
      const folded = await this.#fold.waitFor({ topic, partition, offset: upTo }, VERDICT_WAIT_MS);
      const accepted = folded ? this.#fold.isAccepted(partition, offset) : undefined;
      if (accepted !== undefined) return isActive(turn) ? accepted : undefined;
      // Its commit is not complete: the next record decides.
      upTo = folded ? this.#fold.progress(partition).next : offset;
    }
    return undefined;
  }

  async #handle(turn: Turn, event: RecordedEvent<E>): Promise<boolean> {
    const { signal } = turn;
    const delivered = await deliver({
      policy: POLICY,
      stopping: signal,
      handle: async (attempt) => {
        if (!isActive(turn)) return undefined;
        const outcome = await this.#calls.run(event, { signal, attempt });
        return outcome === 'left' ? undefined : outcome;
      },
      onFailed: (failure) => {
        this.#onFailed(event, failure);
      },
    });
    this.#failing.delete(callKeyOf(event)); // released: it is tried again elsewhere, or here in a later turn
    if (delivered.kind === 'done') this.#handled++;
    return delivered.kind === 'done';
  }

  #onFailed(event: RecordedEvent<E>, { attempt, verdict, pauseMs }: Failure): void {
    const { position } = event;
    const error = verdict.kind === 'not-yet' ? verdict.why : verdict.error.message;
    this.#failing.set(callKeyOf(event), { position, attempt, error });
    const retryMs = Math.round(pauseMs);
    const context = { group: this.definition.group, ...position, attempt, retryMs, err: error };
    this.#options.logger.warn(
      context,
      verdict.kind === 'not-yet'
        ? 'reaction has to wait; it is tried again'
        : 'reaction failed; it is tried again',
    );
  }
}

const isActive = ({ batch, signal }: Turn): boolean => !signal.aborted && batch.isActive();

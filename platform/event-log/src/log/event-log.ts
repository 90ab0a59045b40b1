/** The event log of one process, on any transport. */
import { setTimeout as pause } from 'node:timers/promises';
import type { AsyncHops, DeadLetterStore } from '@parley/delivery';
import type { Logger } from 'pino';
import { AvroCodec } from '../avro/codec.ts';
import type {
  AggregateDefinition,
  Aggregates,
  DomainEvent,
  EventLog,
  EventLogHealth,
  EventTopic,
  LogPosition,
  ProjectionDefinition,
  ProjectionRows,
  ProjectionStatus,
  ReactionDefinition,
  View,
  WaitOutcome,
} from '../ports.ts';
import { SnapshotKeeper } from '../snapshot/keeper.ts';
import type { SnapshotSettings } from '../snapshot/settings.ts';
import { atMost, unlessAborted } from './bounded-work.ts';
import { assertGatherMs } from './gather.ts';
import type { LogLimits } from './limits.ts';
import { LogEnds } from './log-ends.ts';
import { observeLog } from './observe.ts';
import { PositionWaits } from './position-waits.ts';
import { ProjectionMonitor } from './projection-status.ts';
import { Rebuild } from './rebuild.ts';
import type { RebuildOutcome, RebuildProgress } from './rebuild-report.ts';
import { Rebuilder } from './rebuilder.ts';
import { Reactor } from './reactor.ts';
import { SendTurns } from './send-turns.ts';
import { StandstillWatch } from './standstill.ts';
import { TopicFold } from './topic-fold.ts';
import type { Transport } from './transport.ts';
import { LetterBox } from '../letters/letter-box.ts';
import { letterCodec, LetterStore, type LetterSource } from '../letters/letter-store.ts';
import { MemoryView } from './view.ts';
import { Writer } from './writer.ts';

export interface LogOptions {
  readonly service: string;
  readonly logger: Logger;
  readonly limits: LogLimits;
  readonly hops: AsyncHops;
  readonly now: () => number;
  readonly snapshots?: SnapshotSettings;
}

const CLOSE_DEADLINE_MS = 5000;
/** Of the deadline of `close`: kept for the last snapshots, whatever hangs before them. */
const SNAPSHOT_SHARE = 0.25;
const CATCH_UP_SLICE_MS = 1000;
/** A letter has headers besides those of a record that may already be as large as a topic takes. */
const LETTER_BYTES_MAX = 2_097_152;

/** What the log does with a topic, without its event type. */
interface TopicParts {
  readonly fold: TopicFold<DomainEvent>;
  readonly topic: EventTopic<DomainEvent>;
  readonly keeper: SnapshotKeeper | undefined;
}

interface AnyWriter {
  open(): void;
  refuse(reason: 'closed' | 'disconnected'): void;
  close(): void;
  readonly queued: number;
}

export class TransportLog implements EventLog {
  readonly #transport: Transport;
  readonly #options: LogOptions;
  readonly #topics = new Map<string, TopicParts>();
  readonly #writers = new Map<string, AnyWriter>();
  readonly #reactors: Reactor<DomainEvent>[] = [];
  /** One a reaction. */
  readonly #letters: LetterBox[] = [];
  readonly #letterSources: LetterSource[] = [];
  readonly deadLetters: DeadLetterStore = new LetterStore(this.#letterSources);
  /** Of the least patient that reads the topic. */
  readonly #gatherMs = new Map<string, number>();
  /** Topics that have been at their end once: when one is cut under its reader, it is replayed again. */
  readonly #followed = new Set<string>();
  readonly #replaying = new Set<string>();
  readonly #ends: LogEnds;
  readonly #waits: PositionWaits;
  readonly #standstills: StandstillWatch;
  readonly #projections: ProjectionMonitor;
  readonly #rebuilder = new Rebuilder();
  /** Shared by all topics: what is written to several travels in one request. */
  readonly #turns: SendTurns;
  readonly #closing = new AbortController();
  readonly #endObserving: () => void;
  #phase: 'declared' | 'starting' | 'started' | 'closed' = 'declared';
  /** Commands are accepted, but for topics that are replayed again. */
  #deciding = false;
  #waitingFor: string | undefined = 'start';
  #startedAtMs = 0;
  #closed: Promise<void> | undefined;

  constructor(transport: Transport, options: LogOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#turns = new SendTurns(options.limits);
    this.#ends = new LogEnds((topic) => transport.endOffsets(topic), options.now);
    this.#waits = new PositionWaits(this.#ends, options.limits);
    this.#standstills = new StandstillWatch({ ends: this.#ends, limitMs: options.limits.standstillMs });
    this.#endObserving = observeLog({
      health: () => this.health(),
      ends: (topic) => this.#ends.known(topic)?.ends,
      topicFaults: () => transport.topicFaults?.(),
      snapshots: () => [...this.#topics.values()].flatMap(({ keeper }) => keeper?.status() ?? []),
    });
    this.#projections = new ProjectionMonitor(this.#ends, {
      rebuilding: (name) => this.#rebuilder.running(name),
      waitingFor: (name) =>
        this.#standstills.standing.find(({ what, topic }) => what === 'reader' && topic === name)?.waitingFor,
    });
  }

  aggregate<S, E extends DomainEvent>(definition: AggregateDefinition<S, E>): Aggregates<S, E> {
    const { limits, service, now } = this.#options;
    if (this.#writers.has(definition.topic.name))
      throw new Error(`${definition.topic.name} has its aggregate already`);
    const fold = this.#fold(definition.topic);
    const writer = new Writer(definition, fold, this.#transport, {
      limits,
      source: `/parley/${service}`,
      now,
      turns: this.#turns,
    });
    this.#writers.set(definition.topic.name, writer);
    return writer;
  }

  project<Row, E extends DomainEvent>(
    definition: ProjectionDefinition<Row, E>,
    { gatherMs = 0 }: { readonly gatherMs?: number } = {},
  ): View<Row> {
    const fold = this.#fold(definition.topic, gatherMs);
    const view = new MemoryView(definition, fold);
    fold.addTarget(view);
    this.#projections.add(view as unknown as MemoryView<unknown, DomainEvent>); // only read from here
    this.#rebuilder.add(
      definition.name,
      definition.topic.name,
      () =>
        new Rebuild({
          definition,
          live: fold,
          view,
          transport: this.#transport,
          onDiffered: async () => this.#topics.get(definition.topic.name)?.keeper?.discard(),
          logger: this.#options.logger,
          deadlineMs: this.#options.limits.rebuildDeadlineMs,
          now: this.#options.now,
        }),
    );
    return view;
  }

  react<E extends DomainEvent>(definition: ReactionDefinition<E>): void {
    const fold = this.#fold(definition.topic, definition.gatherMs);
    const letters = new LetterBox({
      topic: definition.topic,
      group: definition.group,
      transport: this.#transport,
      now: this.#options.now,
    });
    const reactor = new Reactor(definition, fold, {
      letters,
      attempts: definition.attempts ?? this.#options.limits.reactionAttempts,
      hops: this.#options.hops,
      concurrency: this.#options.limits.reactionConcurrency,
      handleDeadlineMs: this.#options.limits.handleDeadlineMs,
      logger: this.#options.logger,
      signal: this.#closing.signal,
    });
    // A reactor is only ever fed from the fold that it was made with, so its event type may be forgotten here.
    this.#letters.push(letters);
    this.#letterSources.push({ letters, group: definition.group, codec: letterCodec(fold.codec) });
    this.#reactors.push(reactor as unknown as Reactor<DomainEvent>);
    this.#standstills.add({
      what: 'reaction',
      topic: definition.topic.name,
      standsAt: () => reactor.standsAt,
      awaits: () => reactor.awaits,
    });
  }

  async start(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.#phase !== 'declared') throw new Error(`the log was ${this.#phase} already`);
    this.#phase = 'starting';
    const signal = AbortSignal.any([
      this.#closing.signal,
      ...(options.signal === undefined ? [] : [options.signal]),
    ]);
    const topics = [...this.#topics.values()];
    const loaded = new Map(topics.map(({ topic, keeper }) => [topic.name, keeper?.load()]));
    this.#waitingFor = 'the log to answer';
    await this.#transport.connect(
      [
        ...topics.map(({ topic }) => topic),
        ...this.#letters.map(({ topic }) => ({ ...topic, batchBytesMax: LETTER_BYTES_MAX })),
      ],
      signal,
    );
    this.#waitingFor = 'the schema registry';
    for (const { fold, topic } of topics) await unlessAborted(signal, fold.codec.register(topic));
    await unlessAborted(
      signal,
      Promise.all(topics.map((parts) => this.#catchUp(parts, loaded.get(parts.topic.name), signal))),
    );
    this.#deciding = true;
    for (const [name, writer] of this.#writers) if (!this.#replaying.has(name)) writer.open();
    this.#waitingFor = 'the consumer groups';
    await unlessAborted(
      signal,
      Promise.all(this.#letters.map((letters) => this.#transport.read(letters.topic.name, letters))),
    );
    // All at once: each may have to wait until its group has given up a member that was killed.
    await unlessAborted(
      signal,
      Promise.all(
        this.#reactors.map((reactor) => {
          const { group, topic, gatherMs } = reactor.definition;
          return this.#transport.join(group, topic.name, reactor, { gatherMs });
        }),
      ),
    );
    this.#waitingFor = undefined;
    this.#phase = 'started';
    this.#startedAtMs = this.#options.now();
    this.#standstills.start();
    for (const { keeper } of topics) keeper?.start();
  }

  health(): EventLogHealth {
    const unjoined = this.#reactors.find((reactor) => !reactor.hasJoined);
    const [replaying] = this.#replaying;
    const [standing] = this.#standstills.standing;
    const waitingFor =
      this.#waitingFor ??
      (replaying === undefined ? undefined : `${replaying} to be replayed after it was cut`) ??
      (unjoined === undefined ? undefined : `consumer group ${unjoined.definition.group}`) ??
      standing?.waitingFor ??
      (this.#phase === 'closed' ? 'closed' : undefined);
    return {
      ready: this.#phase === 'started' && waitingFor === undefined,
      waitingFor:
        waitingFor ?? this.#awaited() ?? this.#reactors.map(({ obstacle }) => obstacle).find(Boolean),
      topics: [...this.#topics.values()].map(({ fold }) => fold.progress()),
      reactions: this.#reactors.map((reactor) => reactor.status()),
    };
  }

  /** The log, when it has not answered for longer than the limit. */
  #awaited(): string | undefined {
    if (this.#phase !== 'started' || this.#topics.size === 0) return undefined;
    const answers = [...this.#topics.keys()].map((topic) => this.#ends.known(topic)?.atMs ?? 0);
    const forMs = this.#options.now() - Math.max(this.#startedAtMs, ...answers);
    if (forMs < this.#options.limits.standstillMs) return undefined;
    return `the log to answer, for ${String(Math.round(forMs / 1000))} s`;
  }

  async waitFor(
    position: LogPosition,
    { deadlineMs }: { readonly deadlineMs: number },
  ): Promise<WaitOutcome> {
    const fold = this.#topics.get(position.topic)?.fold;
    if (fold === undefined) return 'not-followed';
    if (fold.hasReached(position)) return 'reached';
    return (await this.#waits.wait(fold, position, deadlineMs)) ? 'reached' : 'late';
  }

  projections(): Promise<readonly ProjectionStatus[]> {
    return this.#projections.statuses();
  }

  projectionRows(
    name: string,
    options: { readonly limit: number; readonly after?: string },
  ): ProjectionRows | undefined {
    return this.#projections.rows(name, options);
  }

  async rebuild(name: string): Promise<RebuildOutcome> {
    if (this.#phase === 'declared' || this.#phase === 'starting')
      return { kind: 'aborted', reason: 'not-started' };
    return this.#rebuilder.rebuild(name);
  }

  rebuilding(name: string): RebuildProgress | undefined {
    return this.#rebuilder.running(name);
  }

  close(options: { readonly deadlineMs?: number } = {}): Promise<void> {
    this.#closed ??= this.#close(options.deadlineMs ?? CLOSE_DEADLINE_MS);
    return this.#closed;
  }

  async #close(deadlineMs: number): Promise<void> {
    this.#phase = 'closed';
    this.#endObserving();
    const keepers = [...this.#topics.values()].flatMap(({ keeper }) => keeper ?? []);
    const end = this.#options.now() + deadlineMs;
    const deadline = keepers.length === 0 ? end : end - deadlineMs * SNAPSHOT_SHARE;
    const leftMs = (): number => deadline - this.#options.now();
    this.#closing.abort();
    this.#standstills.stop();
    this.#rebuilder.close();
    // A reaction under way may still append, so commands are refused only behind it; one that hangs is left behind.
    await atMost(leftMs(), this.#transport.leaveGroups());
    await atMost(leftMs(), Promise.all(this.#reactors.map((reactor) => reactor.idle())));
    const writers = [...this.#writers.values()];
    for (const writer of writers) writer.refuse('closed');
    while (writers.some(({ queued }) => queued > 0) && leftMs() > 0) await pause(10);
    for (const writer of writers) writer.close();
    await atMost(leftMs(), this.#transport.close());
    await Promise.all(keepers.map((keeper) => keeper.stop(end - this.#options.now())));
  }

  async #catchUp(
    parts: TopicParts,
    loaded: ReturnType<SnapshotKeeper['load']> | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { fold, topic, keeper } = parts;
    const ends = await this.#transport.endOffsets(topic.name);
    await keeper?.restore(await loaded, ends);
    signal.throwIfAborted();
    this.#waitingFor = `${topic.name} to be replayed`;
    await this.#transport.read(topic.name, fold, {
      gatherMs: this.#gatherMs.get(topic.name),
      // Who appends waits for what is read of the topic; what others append is waited for by few.
      fetchEveryMs: this.#writers.has(topic.name) ? 0 : this.#options.limits.fetchEveryMs,
    });
    await this.#reach(parts, ends, signal);
    this.#followed.add(topic.name);
  }

  /** Resolves when all partitions are there at once: a cut that one of them meets drops what the others had reached. */
  async #reach({ fold, topic }: TopicParts, ends: readonly number[], signal: AbortSignal): Promise<void> {
    const due = [...ends];
    do {
      for (const partition of due.keys()) {
        for (let end = due[partition] ?? 0; end > 0; end = due[partition] ?? 0) {
          const last = { topic: topic.name, partition, offset: end - 1 };
          if (await fold.waitFor(last, CATCH_UP_SLICE_MS)) break;
          signal.throwIfAborted();
          due[partition] = Math.min(end, (await this.#transport.endOffsets(topic.name))[partition] ?? 0); // cut meanwhile
        }
      }
    } while (fold.progress().nextOffsets.some((next, partition) => next < (due[partition] ?? 0)));
  }

  /** The state was dropped: nothing is decided on it before it reaches the end of the log again. */
  async #replayAgain(parts: TopicParts): Promise<void> {
    const { name } = parts.topic;
    if (this.#phase === 'closed' || !this.#followed.has(name) || this.#replaying.has(name)) return;
    this.#replaying.add(name);
    const writer = this.#writers.get(name);
    writer?.refuse('disconnected');
    try {
      await this.#reach(parts, await this.#transport.endOffsets(name), this.#closing.signal);
      if (this.#closing.signal.aborted) return; // nothing is accepted any more
      this.#replaying.delete(name);
      if (this.#deciding) writer?.open();
    } catch (error) {
      if (!this.#closing.signal.aborted) throw error;
    }
  }

  #fold<E extends DomainEvent>(topic: EventTopic<E>, gatherMs = 0): TopicFold<E> {
    if (this.#phase !== 'declared')
      throw new Error('declare aggregates, projections and reactions before start');
    assertGatherMs(gatherMs);
    this.#gatherMs.set(topic.name, Math.min(gatherMs, this.#gatherMs.get(topic.name) ?? gatherMs));
    const known = this.#topics.get(topic.name);
    if (known !== undefined) return known.fold as unknown as TopicFold<E>; // one topic name, one event type
    const fold = new TopicFold(topic, new AvroCodec(topic, this.#transport.schemas), {
      maxRejected: this.#options.limits.maxRejectedOffsets,
      report: {
        badRecord: (position, reason) => {
          this.#options.logger.error({ ...position, reason }, 'bad record skipped');
        },
        failedFold: (position, target, error) => {
          this.#options.logger.error(
            { ...position, target, err: error },
            'a fold failed; the event is left out',
          );
        },
      },
    });
    const { snapshots, logger, now } = this.#options;
    const keeper = snapshots && new SnapshotKeeper(fold, { ...snapshots, logger, now });
    const parts = {
      keeper,
      fold: fold as unknown as TopicFold<DomainEvent>,
      topic: topic as EventTopic<DomainEvent>,
    };
    this.#topics.set(topic.name, parts);
    for (let partition = 0; partition < topic.partitions; partition++) this.#watch(fold, partition);
    const onReset = (): void => {
      keeper?.onReset();
      void this.#replayAgain(parts);
    };
    fold.addListener({ onVerdict: () => undefined, onReset });
    return fold;
  }

  #watch<E extends DomainEvent>(fold: TopicFold<E>, partition: number): void {
    const topic = fold.topic.name;
    this.#standstills.add({
      what: 'reader',
      topic,
      standsAt: (ends) => {
        const { next } = fold.progress(partition);
        return next < (ends[partition] ?? 0) ? next : undefined;
      },
      awaits: () => {
        const at = `${topic}/${partition}@${fold.progress(partition).next} to be folded`;
        const obstacle = fold.obstacle(partition);
        return obstacle === undefined ? at : `${at}, which waits for ${obstacle}`;
      },
    });
  }
}

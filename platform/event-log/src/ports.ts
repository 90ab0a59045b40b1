/**
 * What the event log promises, whatever it runs on. Kafka and in-memory adapters pass one feature suite
 * (testing/feature-suite.ts). See docs/adr/0001 for why the log arbitrates.
 */
import type { DeadLetterStore, Verdict } from '@parley/delivery';
import type { RebuildOutcome, RebuildProgress } from './log/rebuild-report.ts';

/** A fact, as a decider makes it: no id, no clock, no position. */
export interface DomainEvent {
  readonly type: string;
  readonly data: object;
}

/** Where a record lies in the log. Offsets are dense and below 2^53. */
export interface LogPosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** What accompanies a command into the headers of the events it leads to. */
export interface CommandMetadata {
  readonly correlationId: string;
  /** Event id or command id that caused this; absent when a client did. */
  readonly causationId?: string;
}

/** An accepted event, as every reader sees it. Header values are read lazily: replay does not pay for them. */
export interface RecordedEvent<E extends DomainEvent = DomainEvent> {
  readonly event: E;
  readonly streamId: string;
  /** The stream's version after this event; the first event of a stream has version 1. */
  readonly version: number;
  readonly position: LogPosition;
  /** UUIDv5 of commit id and index in the commit: the same for every copy of the commit. */
  readonly eventId: string;
  readonly commitId: string;
  /** ce_time, milliseconds since the epoch. */
  readonly recordedAtMs: number;
  readonly correlationId: string;
  readonly causationId: string | undefined;
  /** W3C trace context of the append. */
  readonly traceparent: string | undefined;
}

/** Brings an event of an older schema to what it means today (see contracts/src/upcasters.ts). Pure. */
export interface Upcaster {
  /** Fields whose absence in the writer's schema makes an event an old one. */
  readonly fills: readonly string[];
  upcast(data: object): object;
}

/** A topic that carries the events of one aggregate type (see contracts/src/topics.ts). */
export interface EventTopic<E extends DomainEvent> {
  readonly name: string;
  readonly partitions: number;
  readonly schemas: Readonly<Record<E['type'], object>>;
  readonly upcasters?: Readonly<Partial<Record<E['type'], Upcaster>>>;
  readonly _event?: E;
}

/** What one command appends: 1..N events of one stream, accepted or dropped as a whole. */
export interface Commit<E extends DomainEvent> {
  /** UUID, derived from the command: sending a commit again under the same id is safe. */
  readonly commitId: string;
  readonly streamId: string;
  /** Version of the stream that the events were decided on; 0 for a new stream. */
  readonly baseVersion: number;
  /** The stream's last accepted commit (or the commit this one is chained to); undefined for a new stream. */
  readonly previousCommitId: string | undefined;
  readonly events: readonly E[];
  readonly metadata: CommandMetadata;
}

/** The fate of one commit, as read back from the log. */
export type AppendOutcome =
  /** In the log and in every reader's fold. `position` is that of its last event. */
  | { readonly kind: 'accepted'; readonly position: LogPosition; readonly version: number }
  /** This commit id was accepted earlier; nothing was added to the fold. */
  | { readonly kind: 'duplicate'; readonly position: LogPosition; readonly version: number }
  /**
   * Final: no reader has accepted or will ever accept this commit, unless it was accepted further back than its stream
   * remembers (64 commits): a copy of that is told the same.
   */
  | { readonly kind: 'conflict'; readonly version: number }
  /** Final: the commit was refused before or by the broker and is not in the log. */
  | { readonly kind: 'rejected'; readonly reason: 'too-large' | 'invalid'; readonly detail: string }
  /**
   * Retryable, and this call has put nothing into the log: the queue is full or the log is not connected. An earlier call
   * under the same id, of which nothing is known any more, may have.
   */
  | { readonly kind: 'unavailable'; readonly reason: 'queue-full' | 'disconnected' | 'closed' }
  /** Retryable: no echo within the deadline; it may be in the log. Sending the same commit again is safe. */
  | { readonly kind: 'unknown'; readonly commitId: string };

/** An aggregate: how its events fold into its state. Pure. */
export interface AggregateDefinition<S, E extends DomainEvent> {
  readonly name: string;
  readonly topic: EventTopic<E>;
  readonly initial: S;
  readonly evolve: (state: S, event: E) => S;
  /**
   * URL of the module that defines this (`import.meta.url`): whatever it imports decides the content, so a snapshot made
   * by other code is ignored. Without it there are no snapshots of the topic.
   */
  readonly module?: string;
}

/** What a decider answers: events to record (none: nothing to do), or a named refusal. */
export type Decision<E extends DomainEvent, R> =
  | { readonly kind: 'events'; readonly events: readonly E[] }
  | { readonly kind: 'refused'; readonly rejection: R };

export interface Command<S, E extends DomainEvent, R> {
  readonly streamId: string;
  /** UUID that names this command for ever; it becomes the commit id. */
  readonly commandId: string;
  /** Synchronous and deterministic; called again on newer state after a conflict. */
  readonly decide: (state: S, version: number) => Decision<E, R>;
  readonly metadata: CommandMetadata;
  /** Default: the log's echo deadline. */
  readonly deadlineMs?: number;
}

export type CommandOutcome<S, R> =
  /** `state` is the fold right after this commit. */
  | { readonly kind: 'accepted'; readonly state: S; readonly version: number; readonly position: LogPosition }
  /** The same command was accepted earlier; `state` is the stream's state now. */
  | {
      readonly kind: 'duplicate';
      readonly state: S;
      readonly version: number;
      readonly position: LogPosition;
    }
  /** The decider returned no events. */
  | { readonly kind: 'unchanged'; readonly state: S; readonly version: number }
  | { readonly kind: 'refused'; readonly rejection: R; readonly state: S; readonly version: number }
  /** Lost against other instances on every attempt (at most `maxConflictRetries`). Retryable. */
  | { readonly kind: 'conflict'; readonly attempts: number }
  | Extract<AppendOutcome, { kind: 'rejected' | 'unavailable' | 'unknown' }>;

/** The write side of one aggregate type in one process. */
export interface Aggregates<S, E extends DomainEvent> {
  /**
   * Loads, decides, appends. Commands on one stream are decided in the order of the calls; a later one is decided
   * on the speculative state and chained, and decided again if its predecessor loses. Never throws for an expected
   * failure. Refused with `unavailable` before `start` has resolved.
   */
  execute<R>(command: Command<S, E, R>): Promise<CommandOutcome<S, R>>;
  /** One commit as it is, without deciding: for tests, imports and benchmarks. */
  append(commit: Commit<E>, options?: { readonly deadlineMs?: number }): Promise<AppendOutcome>;
  /** The folded (not the speculative) state. `initial` and version 0 for a stream without events. */
  load(streamId: string): {
    readonly state: S;
    readonly version: number;
    readonly lastCommitId: string | undefined;
    /** Of the stream's last accepted event; undefined for a stream without events. */
    readonly position: LogPosition | undefined;
  };
  /** Every stream id with at least one event, in no particular order. */
  streamIds(): Iterable<string>;
}

/** A read model: a pure fold per row. Rows are replaced, never mutated. */
export interface ProjectionDefinition<Row, E extends DomainEvent> {
  readonly name: string;
  readonly topic: EventTopic<E>;
  /** The row's key; default: the stream id. All events of one key must lie in one stream. */
  readonly key?: (event: RecordedEvent<E>) => string;
  /** Undefined in: no row yet. Undefined out: no row any more. */
  readonly fold: (row: Row | undefined, event: RecordedEvent<E>) => Row | undefined;
  /** Secondary indexes by name: the value under which a row is found, if any. */
  readonly indexes?: Readonly<Record<string, (row: Row) => string | undefined>>;
  /**
   * URL of the module that defines this (`import.meta.url`): whatever it imports decides the content, so a snapshot made
   * by other code is ignored. Without it there are no snapshots of the topic.
   */
  readonly module?: string;
}

/** How far a reader has come: the next offset to be read, by partition. */
export interface ReadProgress {
  readonly topic: string;
  readonly nextOffsets: readonly number[];
  readonly accepted: number;
  readonly conflicts: number;
  readonly duplicates: number;
  /** Records that no reader of any release can read; dropped by all alike. */
  readonly badRecords: number;
  /** Accepted events of a type or schema that this release does not know: they count for the version only. */
  readonly skippedTypes: number;
  /** Events that a fold threw on and that are left out of it. */
  readonly failedFolds: number;
}

/** Reads one projection. Reads are synchronous and see whole commits only. */
export interface View<Row> {
  readonly name: string;
  get(key: string): Row | undefined;
  /** Rows in ascending order of their keys, after the key `after`, at most `limit`. */
  list(options: { readonly limit: number; readonly after?: string }): readonly Row[];
  /** As `list`, restricted to the rows that an index has under `value`. */
  find(
    index: string,
    value: string,
    options: { readonly limit: number; readonly after?: string },
  ): readonly Row[];
  /** The distinct values of an index, sorted. */
  values(index: string): readonly string[];
  readonly size: number;
  progress(): ReadProgress;
  /** SHA-256 over all rows in canonical order: equal for equal content, whatever the order of arrival. */
  stateHash(): string;
}

/**
 * A side effect on accepted events, each at least once, on one instance of a consumer group at a time. The offset is
 * committed after `handle` has resolved. Events of one stream are handled in order; events of different streams may
 * be handled concurrently. A `handle` that rejects is called again with growing pauses, up to `attempts` times; one that
 * answers `not-yet` for as long as it takes. Then the event is a dead letter: it goes to the topic `<topic>.<group>.dlq` as it
 * lies in its own, with headers that say where it comes from and why, and later events of its stream are parked behind it
 * there. So does a record that no reader can read. What is behind an event in its partition waits while it is tried again;
 * other partitions do not.
 *
 * The `signal` of a call is aborted when the call has taken longer than `handleDeadlineMs`, when the partition is given
 * to another member, and when the log closes. A `handle` that heeds it rejects; resolving means that the effect is
 * confirmed, however late. One that does not heed it is never called a second time in this process while it runs: what
 * is behind it waits, and `stalled` says so. Another member may be given the partition meanwhile and act on the event
 * too, which is why effects carry ids derived from the event's.
 */
export interface ReactionDefinition<E extends DomainEvent> {
  /** Consumer group id; a contract, as renaming it starts from the beginning of the log. */
  readonly group: string;
  readonly topic: EventTopic<E>;
  /** Event types to act on; others are passed over. Default: all. */
  readonly types?: readonly E['type'][];
  /** Calls of `handle` that may fail before the event is a dead letter. Default: the log's (`reactionAttempts`). */
  readonly attempts?: number;
  /**
   * How long an event may be kept for others to come, so that all of them are fetched, handled and committed together:
   * for what nobody waits for. Default: 0, each is handed over at once; at most `GATHER_MS_MAX` (log/gather.ts). A topic
   * that is only read for such reactions is folded as late.
   */
  readonly gatherMs?: number;
  readonly handle: (
    event: RecordedEvent<E>,
    context: { readonly signal: AbortSignal; readonly attempt: number },
  ) => Promise<Verdict>;
}

export interface ReactionStatus {
  readonly group: string;
  readonly topic: string;
  /** False before the first assignment, during a rebalance, and while its consumer is made again. */
  readonly joined: boolean;
  readonly assigned: readonly number[];
  readonly handled: number;
  /** Log end minus committed, over the assigned partitions. */
  readonly lag: number;
  /**
   * Set while an event is being retried, or a `handle` goes on past its deadline, also when its partition was lost and
   * came back meanwhile: of several, the one tried most.
   */
  readonly stalled:
    { readonly position: LogPosition; readonly attempt: number; readonly error: string } | undefined;
  /** Calls after which there was another one, in this process. */
  readonly retries: number;
  /** Dead letters that this process has written, parked events included. */
  readonly deadLetters: number;
  /** Dead letters of the group that are neither redriven nor discarded. */
  readonly openDeadLetters: number;
}

export interface EventLogHealth {
  /**
   * True when every reader has reached the end offsets measured at start, every reaction has joined its group, and
   * nothing has stood still since for longer than the limit while the log answers (log/standstill.ts).
   *
   * A log that does not answer leaves a log that was ready ready: every instance of every service misses it alike, reads
   * go on, and an append is refused with a retryable answer. A reaction whose `handle` fails does too: its `stalled`
   * tells, and whoever else is asked fails on the same event.
   */
  readonly ready: boolean;
  /**
   * One sentence: what is awaited, and for how long. While ready: undefined, or the log, when it does not answer, or the
   * event that a reaction fails on or takes too long for, with the number of attempts.
   */
  readonly waitingFor: string | undefined;
  readonly topics: readonly ReadProgress[];
  readonly reactions: readonly ReactionStatus[];
}

/** Whether a position was folded before the deadline. */
export type WaitOutcome = 'reached' | 'late' | 'not-followed';

/** One projection. Everything but `ends` is of one instant. */
export interface ProjectionStatus {
  readonly name: string;
  readonly topic: string;
  /** The next offset to be read, by partition. */
  readonly positions: readonly number[];
  /** The end of the log, by partition: at most a second old while the log answers. */
  readonly ends: readonly number[];
  readonly lag: number;
  readonly stateHash: string;
  readonly rows: number;
  readonly applied: number;
  readonly conflicts: number;
  readonly duplicates: number;
  readonly badRecords: number;
  /** Accepted events of a type that this release does not know. */
  readonly skippedTypes: number;
  /** Accepted events that a fold of the topic threw on and that are left out of it. */
  readonly failedFolds: number;
  /** What the reader of the topic waits for, once it has stood still for longer than the limit while the log has more. */
  readonly waitingFor: string | undefined;
  /** True while the same view is built anew beside the live one. */
  readonly rebuilding: boolean;
  /** How far the rebuild that runs has come. */
  readonly rebuild: Pick<RebuildProgress, 'positions' | 'live'> | undefined;
}

/** A page of a projection's rows in key order, each as its canonical JSON says it, and where they were read at. */
export interface ProjectionRows {
  readonly name: string;
  readonly topic: string;
  readonly positions: readonly number[];
  readonly rows: readonly { readonly key: string; readonly row: unknown }[];
  /** Undefined on the last page. */
  readonly nextAfter: string | undefined;
}

/** The event log as one process sees it. Declare everything first, then `start`. */
export interface EventLog {
  aggregate<S, E extends DomainEvent>(definition: AggregateDefinition<S, E>): Aggregates<S, E>;
  /**
   * `gatherMs`: how long the view may be behind, so that many events are fetched together (default 0, at most
   * `GATHER_MS_MAX`, log/gather.ts). A topic is read once for all that is declared on it, and as the least patient asks;
   * an aggregate never waits. Whoever waits for a position of the topic here (`waitFor`) waits as much longer.
   * @throws RangeError for another time
   */
  project<Row, E extends DomainEvent>(
    definition: ProjectionDefinition<Row, E>,
    options?: { readonly gatherMs?: number },
  ): View<Row>;
  /** @throws RangeError for a `gatherMs` that is not from 0 to `GATHER_MS_MAX`. */
  react<E extends DomainEvent>(definition: ReactionDefinition<E>): void;
  /**
   * Waits for the log (with a message while it does), makes the topics, registers the schemas, replays to the end
   * offsets measured now, then starts the reactions. Rejects when aborted, when a schema is incompatible, or when a topic
   * is there with settings that the log cannot be kept with.
   */
  start(options?: { readonly signal?: AbortSignal }): Promise<void>;
  health(): EventLogHealth;
  /**
   * Builds a read model anew from the start of the log, beside the live one, and swaps them in one step when it is where
   * the live one is: reads go on and never step back. Takes the memory of a second copy meanwhile.
   */
  rebuild(name: string): Promise<RebuildOutcome>;
  /** The rebuild of a read model that runs now. */
  rebuilding(name: string): RebuildProgress | undefined;
  /**
   * Waits until everything up to the position is folded here, so that whatever is read next is not older. A topic that
   * this process does not read is `not-followed` at once: no state of this process can depend on it. What is folded
   * already is `reached`, however many wait. A waiter above a limit is `late` at once; there is one for all and a smaller
   * one for positions that the log does not have, so that those hold up nobody else.
   * @throws RangeError for a partition that the topic does not have
   */
  waitFor(position: LogPosition, options: { readonly deadlineMs: number }): Promise<WaitOutcome>;
  /** Every projection of this process. Answers within a second, also while the log does not answer. */
  projections(): Promise<readonly ProjectionStatus[]>;
  /** The dead letters of this process's reactions. */
  readonly deadLetters: DeadLetterStore;
  /** A page of one projection's rows in key order, with the positions it was read at; undefined when there is none. */
  projectionRows(
    name: string,
    options: { readonly limit: number; readonly after?: string },
  ): ProjectionRows | undefined;
  /**
   * Stops the reactions, lets appends under way finish within the deadline, disconnects, writes the last snapshots: what
   * comes before them may take three quarters of the deadline, and what still hangs then is left behind. Idempotent.
   */
  close(options?: { readonly deadlineMs?: number }): Promise<void>;
}

/** The write side of one aggregate type: a lane per stream that is busy, and an outbox per partition. */
import type { Judged } from '../arbitration/arbiter.ts';
import { fromKey, keyOf, type CommitKey } from '../arbitration/commit-header.ts';
import type {
  AggregateDefinition,
  Aggregates,
  AppendOutcome,
  Command,
  CommandOutcome,
  Commit,
  DomainEvent,
  LogPosition,
} from '../ports.ts';
import { AggregateFold } from './aggregate-fold.ts';
import { Entry } from './entry.ts';
import { Lane, unavailable, type LaneContext, type Unavailable } from './lane.ts';
import { Outbox } from './outbox.ts';
import { partitionOf } from './partition-of.ts';
import { PlainAppends, type WriterOptions } from './plain-appends.ts';
import { startAppend } from './spans.ts';
import type { EchoListener, TopicFold } from './topic-fold.ts';
import type { Transport } from './transport.ts';

/** How often acknowledged commits without an echo are looked for, at most. */
const RESEND_CHECK_MS_MIN = 20;

export class Writer<S, E extends DomainEvent> implements Aggregates<S, E>, EchoListener {
  readonly #definition: AggregateDefinition<S, E>;
  readonly #fold: TopicFold<E>;
  readonly #states: AggregateFold<S, E>;
  readonly #options: WriterOptions;
  readonly #outboxes: readonly Outbox[];
  readonly #lanes = new Map<string, Lane<S, E>>();
  readonly #plain: PlainAppends<E>;
  readonly #byCommand = new Map<string, Promise<CommandOutcome<S, unknown>>>();
  readonly #shared: LaneContext<S, E>;
  readonly #transport: Transport;
  #askingEnds = false;
  #resending: NodeJS.Timeout | undefined;
  /** Why commands are refused; undefined while they are accepted. */
  #refusing: Unavailable['reason'] | undefined = 'closed';
  #queued = 0;

  constructor(
    definition: AggregateDefinition<S, E>,
    fold: TopicFold<E>,
    transport: Transport,
    options: WriterOptions,
  ) {
    this.#definition = definition;
    this.#fold = fold;
    this.#options = options;
    this.#transport = transport;
    this.#states = new AggregateFold(definition);
    const onIdle = (streamId: string, lane: Lane<S, E>): void => {
      if (this.#lanes.get(streamId) === lane) this.#lanes.delete(streamId);
    };
    this.#shared = { definition, fold, states: this.#states, options, onIdle, orphans: { count: 0 } };
    this.#outboxes = Array.from(
      { length: definition.topic.partitions },
      (_, partition) =>
        new Outbox((records) => transport.send(definition.topic.name, partition, records), options),
    );
    this.#plain = new PlainAppends(
      fold.codec,
      (streamId) => this.#outbox(this.#partitionOf(streamId)),
      options,
    );
    fold.addTarget(this.#states);
    fold.addListener(this);
  }

  /** Commands are accepted from now on. */
  open(): void {
    this.#refusing = undefined;
    const everyMs = Math.max(RESEND_CHECK_MS_MIN, this.#options.limits.echoDeadlineMs / 5);
    clearInterval(this.#resending);
    this.#resending = setInterval(() => void this.#resend(), everyMs).unref();
  }

  /** Commands and appends not yet settled. */
  get queued(): number {
    return this.#queued + this.#plain.queued;
  }

  /** Refuses new commands; what is under way goes on. */
  refuse(reason: Unavailable['reason']): void {
    this.#refusing = reason;
  }

  /** Refuses new commands; what is unsettled is settled as `unavailable` or `unknown`. */
  close(): void {
    this.refuse('closed');
    clearInterval(this.#resending);
    for (const outbox of this.#outboxes) outbox.close();
    this.#plain.close();
    this.#abandon('closed');
  }

  load(streamId: string): {
    readonly state: S;
    readonly version: number;
    readonly lastCommitId: string | undefined;
    readonly position: LogPosition | undefined;
  } {
    const partition = this.#partitionOf(streamId);
    const head = this.#fold.head(partition, streamId);
    const last = head && this.#fold.find(partition, head, head.last);
    return {
      state: this.#states.state(streamId),
      version: head?.version ?? 0,
      lastCommitId: head === undefined ? undefined : fromKey(head.last),
      position: last && { topic: last.topic, partition, offset: last.offset },
    };
  }

  streamIds(): Iterable<string> {
    return this.#fold.streamIds();
  }

  /** Rejects for an id that can name no commit, and as the decider does. */
  execute<R>(command: Command<S, E, R>): Promise<CommandOutcome<S, R>> {
    if (this.#refusing !== undefined) return Promise.resolve(unavailable(this.#refusing));
    const commit = keyOf(command.commandId);
    if (commit === undefined)
      return Promise.reject(new TypeError(`not the UUID of a command: ${command.commandId.slice(0, 64)}`));
    const name = commit + command.streamId; // one id has several spellings
    const under = this.#byCommand.get(name);
    if (under !== undefined) return this.#repeated(under, commit, command);
    if (this.#queued + this.#shared.orphans.count >= this.#options.limits.maxQueuedCommands)
      return Promise.resolve(unavailable('queue-full'));
    const span = startAppend(this.#definition.topic.name);
    const entry = new Entry<S, E>(command, { commit, context: span.context }, (concluded) => {
      this.#queued--;
      this.#byCommand.delete(name);
      span.end(concluded);
    });
    this.#byCommand.set(name, entry.outcome);
    this.#enqueue(entry);
    return entry.outcome as Promise<CommandOutcome<S, R>>; // what its own decider rejects with
  }

  append(commit: Commit<E>, options: { readonly deadlineMs?: number } = {}): Promise<AppendOutcome> {
    if (this.#refusing !== undefined) return Promise.resolve(unavailable(this.#refusing));
    return this.#plain.append(commit, options.deadlineMs ?? this.#options.limits.echoDeadlineMs);
  }

  onVerdict(partition: number, judged: Judged<unknown>): void {
    const lane = this.#lanes.get(judged.streamId);
    if (lane === undefined && this.#plain.queued === 0) return;
    const position = { topic: this.#fold.topic.name, partition, offset: judged.lastOffset };
    const isTold = this.#plain.onVerdict(judged, position);
    lane?.onVerdict(judged, position);
    if (isTold || lane !== undefined) this.#options.turns.heard();
  }

  onReset(): void {
    this.#plain.onReset();
    this.#abandon('disconnected');
  }

  /** The same command twice at the same time: one commit, and its fate is told here too, within a deadline of its own. */
  async #repeated<R>(
    under: Promise<CommandOutcome<S, unknown>>,
    commit: CommitKey,
    command: Command<S, E, R>,
  ): Promise<CommandOutcome<S, R>> {
    const late = Promise.withResolvers<CommandOutcome<S, unknown>>();
    const timer = setTimeout(late.resolve, this.#deadlineMs(command), {
      kind: 'unknown',
      commitId: fromKey(commit),
    } satisfies CommandOutcome<S, unknown>);
    try {
      const outcome = await Promise.race([under, late.promise]);
      const same = outcome as CommandOutcome<S, R>; // one command id names one command, so one rejection type
      return same.kind === 'accepted' ? { ...same, kind: 'duplicate' } : same;
    } finally {
      clearTimeout(timer);
    }
  }

  #deadlineMs<R>({ deadlineMs }: Command<S, E, R>): number {
    return deadlineMs ?? this.#options.limits.echoDeadlineMs;
  }

  #enqueue(entry: Entry<S, E>): void {
    const { streamId } = entry.command;
    this.#queued++;
    const lane = this.#laneOf(streamId);
    entry.timer = setTimeout(() => {
      lane.onDeadline(entry);
    }, this.#deadlineMs(entry.command));
    lane.add(entry);
  }

  /** Nothing is told any more, and nothing that was not sent ever will be. */
  #abandon(reason: Unavailable['reason']): void {
    for (const lane of this.#lanes.values()) lane.abandon(reason);
    this.#lanes.clear();
  }

  /**
   * What the broker acknowledged long ago and the reader does not meet may have gone with the end of a log that was
   * cut; nothing of its stream could be decided ever again. Copies are inert, so it is sent again, in chain order: once
   * the reader has read everything there is, as a reader that is merely slow would be given more and more to read.
   */
  async #resend(): Promise<void> {
    const before = this.#options.now() - this.#options.limits.echoDeadlineMs;
    const overdue = [...this.#lanes.values()].filter((lane) => lane.isOverdue(before));
    if (overdue.length === 0 || this.#askingEnds) return;
    this.#askingEnds = true;
    try {
      const ends = await this.#transport.endOffsets(this.#fold.topic.name);
      const { nextOffsets } = this.#fold.progress();
      for (const lane of overdue) {
        const { partition } = lane;
        if ((nextOffsets[partition] ?? 0) >= (ends[partition] ?? 0)) lane.resend(before);
      }
    } catch {
      return; // closed meanwhile
    } finally {
      this.#askingEnds = false;
    }
  }

  #laneOf(streamId: string): Lane<S, E> {
    const known = this.#lanes.get(streamId);
    if (known !== undefined) return known;
    const partition = this.#partitionOf(streamId);
    const lane = new Lane<S, E>(this.#shared, { streamId, partition, outbox: this.#outbox(partition) });
    this.#lanes.set(streamId, lane);
    return lane;
  }

  #partitionOf(streamId: string): number {
    return partitionOf(streamId, this.#definition.topic.partitions);
  }

  #outbox(partition: number): Outbox {
    const outbox = this.#outboxes[partition];
    if (outbox === undefined) throw new RangeError(`no partition ${partition}`);
    return outbox;
  }
}

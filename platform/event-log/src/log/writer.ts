/**
 * The write side of one aggregate type: decides, chains, appends, and learns the fate of each commit from the fold.
 *
 * Commands on one stream are decided in the order of the calls, each on the state that the ones before it lead to.
 * When the head of a chain loses, all behind it lose too; once the log has told of every copy that was sent, they
 * are decided again, in order, on the folded state.
 */
import type { Judged } from '../arbitration/arbiter.ts';
import { fromKey, type CommitKey } from '../arbitration/commit-header.ts';
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
import { recordsOf } from './attempt.ts';
import {
  entryOf,
  isAttempt,
  noteFollower,
  takeBack,
  takeRefusal,
  takeUnheard,
  type CommitLink,
  type Entry,
  type Lane,
} from './lane.ts';
import { Outbox } from './outbox.ts';
import { partitionOf } from './partition-of.ts';
import { invalidSize, PlainAppends, refused, tooLarge, type WriterOptions } from './plain-appends.ts';
import { tracedAppend } from './spans.ts';
import type { EchoListener, TopicFold } from './topic-fold.ts';
import type { Transport } from './transport.ts';

type Unavailable = Extract<AppendOutcome, { kind: 'unavailable' }>;
const unavailable = (reason: Unavailable['reason']): Unavailable => ({ kind: 'unavailable', reason });

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
    this.#states = new AggregateFold(definition);
    this.#outboxes = Array.from(
      { length: definition.topic.partitions },
      (_, partition) =>
        new Outbox((records) => transport.send(definition.topic.name, partition, records), options.limits),
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
    this.#resending = setInterval(() => {
      this.#resend();
    }, everyMs).unref();
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
    const last = head && this.#fold.find(partition, streamId, head.last);
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

  execute<R>(command: Command<S, E, R>): Promise<CommandOutcome<S, R>> {
    if (this.#refusing !== undefined) return Promise.resolve(unavailable(this.#refusing));
    const name = `${command.streamId}\n${command.commandId}`;
    const under = this.#byCommand.get(name);
    if (under !== undefined) {
      // The same command twice at the same time: one commit, the second caller hears of the first one's.
      return under.then((outcome) => {
        const same = outcome as CommandOutcome<S, R>; // one command id names one command, so one rejection type
        return same.kind === 'accepted' ? { ...same, kind: 'duplicate' } : same;
      });
    }
    if (this.#queued >= this.#options.limits.maxQueuedCommands)
      return Promise.resolve(unavailable('queue-full'));
    const outcome = tracedAppend(this.#definition.topic.name, () => this.#enqueue(command));
    this.#byCommand.set(name, outcome);
    const forget = (): boolean => this.#byCommand.delete(name);
    void outcome.then(forget, forget);
    return outcome as Promise<CommandOutcome<S, R>>;
  }

  append(commit: Commit<E>, options: { readonly deadlineMs?: number } = {}): Promise<AppendOutcome> {
    if (this.#refusing !== undefined) return Promise.resolve(unavailable(this.#refusing));
    return this.#plain.append(commit, options.deadlineMs ?? this.#options.limits.echoDeadlineMs);
  }

  onVerdict(partition: number, judged: Judged<unknown>): void {
    const { commit, previous } = judged.header;
    const position = { topic: this.#fold.topic.name, partition, offset: judged.lastOffset };
    this.#plain.onVerdict(judged, position);
    const lane = this.#lanes.get(judged.streamId);
    if (lane === undefined) return;
    const rewound = lane.rewinding.findIndex((link) => isAttempt(link, commit, previous));
    if (rewound !== -1) {
      lane.rewinding.splice(rewound, 1);
    } else {
      const [head] = lane.chain;
      if (head !== undefined && isAttempt(head, commit, previous)) {
        if (judged.verdict === 'accepted') this.#headAccepted(lane, head, position);
        else
          this.#headLost(
            lane,
            head,
            judged.verdict === 'duplicate' ? { ...position, version: judged.version } : undefined,
          );
      } else if (judged.verdict === 'accepted' && head !== undefined) {
        // A stranger's commit: whatever is chained here is based on a state that is no more, so it has lost for ever.
        if (++head.entry.losses > this.#options.limits.maxConflictRetries) {
          head.entry.settle({ kind: 'conflict', attempts: head.entry.losses });
        }
        this.#rewind(lane);
      }
    }
    this.#advance(lane);
  }

  onReset(): void {
    this.#plain.onReset();
    this.#abandon('disconnected');
  }

  #enqueue(command: Command<S, E, unknown>): Promise<CommandOutcome<S, unknown>> {
    const deadlineMs = command.deadlineMs ?? this.#options.limits.echoDeadlineMs;
    const { entry, outcome } = entryOf<S, E>(command, () => {
      this.#queued--;
    });
    this.#queued++;
    const lane = this.#laneOf(command.streamId);
    entry.timer = setTimeout(() => {
      this.#onDeadline(lane, entry);
    }, deadlineMs);
    lane.waiting.push(entry);
    this.#advance(lane);
    return outcome;
  }

  /** Settles what the head of the chain allows, then decides what waits. */
  #advance(lane: Lane<S, E>): void {
    for (let [head] = lane.chain; head?.kind === 'answer'; [head] = lane.chain) {
      lane.chain.shift();
      head.entry.settle(head.outcome);
    }
    if (lane.rewinding.length > 0) return;
    while (lane.waiting.length > 0 && lane.chain.length < this.#options.limits.maxChainLength) {
      const entry = lane.waiting.shift();
      if (entry === undefined || entry.settled) continue;
      try {
        this.#decide(lane, entry);
      } catch (error) {
        entry.fail(error); // its own bug: neither the reader that tells verdicts nor the commands behind it suffer
      }
    }
    const isIdle = lane.chain.length === 0 && lane.waiting.length === 0;
    if (isIdle && this.#lanes.get(lane.streamId) === lane) this.#lanes.delete(lane.streamId);
  }

  #decide(lane: Lane<S, E>, entry: Entry<S, E>): void {
    const { command, commit } = entry;
    const earlier = this.#fold.find(lane.partition, lane.streamId, commit);
    if (earlier !== undefined) {
      const { version, ...position } = earlier;
      const { state } = this.load(lane.streamId);
      entry.settle({ kind: 'duplicate', state, version, position });
      return;
    }
    const same = lane.chain.find((link) => link.kind === 'commit' && link.entry.commit === commit);
    if (same?.kind === 'commit') {
      for (const version of same.entry.lostVersions) entry.lostVersions.add(version);
      same.entry = entry; // told unknown before, and repeated while its echo may still come
      return;
    }
    const tail = lane.chain.findLast((link) => link.kind === 'commit');
    const head = this.#fold.head(lane.partition, lane.streamId);
    const state = tail === undefined ? this.#states.state(lane.streamId) : tail.state;
    const version = tail === undefined ? (head?.version ?? 0) : tail.version;
    const previous = tail === undefined ? (head?.last ?? '') : tail.entry.commit;
    const decision = command.decide(state, version);
    if (decision.kind === 'refused') {
      this.#answer(lane, entry, { kind: 'refused', rejection: decision.rejection, state, version });
      return;
    }
    if (decision.events.length === 0) {
      this.#answer(lane, entry, { kind: 'unchanged', state, version });
      return;
    }
    this.#chain(lane, entry, { events: decision.events, previous, state, version });
  }

  #answer(lane: Lane<S, E>, entry: Entry<S, E>, outcome: CommandOutcome<S, unknown>): void {
    if (lane.chain.length === 0) entry.settle(outcome);
    else lane.chain.push({ kind: 'answer', entry, outcome });
  }

  #chain(
    lane: Lane<S, E>,
    entry: Entry<S, E>,
    decided: {
      readonly events: readonly E[];
      readonly previous: CommitKey;
      readonly state: S;
      readonly version: number;
    },
  ): void {
    const invalid = invalidSize(decided.events.length);
    if (invalid !== undefined) {
      entry.settle(invalid);
      return;
    }
    const { streamId, metadata } = entry.command;
    const { records, bytes } = entry.inContext(() =>
      recordsOf(
        {
          streamId,
          commit: entry.commit,
          previous: decided.previous,
          base: decided.version,
          events: decided.events,
          metadata,
        },
        this.#fold.codec,
        { source: this.#options.source, nowMs: this.#options.now() },
      ),
    );
    if (bytes > this.#options.limits.maxBatchBytes) {
      entry.settle(tooLarge(bytes, this.#options.limits.maxBatchBytes));
      return;
    }
    const version = decided.version + decided.events.length;
    if (entry.lostVersions.has(version)) {
      // A late copy of what was chained on a lost attempt names this commit and this version: it would be accepted.
      entry.settle({ kind: 'conflict', attempts: entry.losses + 1 });
      return;
    }
    const link: CommitLink<S, E> = {
      kind: 'commit',
      entry,
      previous: decided.previous,
      state: decided.events.reduce<S>((state, event) => this.#definition.evolve(state, event), decided.state),
      version,
      outgoing: {
        records,
        bytes,
        onSending: () => (link.sent = true),
        onAcknowledged: () => (link.acknowledgedAtMs = this.#options.now()),
        onRefused: (detail, certain) => {
          takeRefusal(lane, link, {
            outcome: refused(fromKey(entry.commit), detail, certain),
            nowMs: this.#options.now(),
          });
          this.#rewind(lane);
          this.#advance(lane);
        },
      },
      sent: false,
      doubted: false,
      acknowledgedAtMs: undefined,
    };
    lane.chain.push(link);
    this.#outbox(lane.partition).add(link.outgoing);
  }

  #headAccepted(
    lane: Lane<S, E>,
    head: CommitLink<S, E>,
    position: { topic: string; partition: number; offset: number },
  ): void {
    lane.chain.shift();
    head.entry.settle({ kind: 'accepted', state: head.state, version: head.version, position });
  }

  #headLost(
    lane: Lane<S, E>,
    head: CommitLink<S, E>,
    duplicate: { topic: string; partition: number; offset: number; version: number } | undefined,
  ): void {
    const { entry } = head;
    lane.chain.shift();
    noteFollower(head, lane.chain);
    if (duplicate !== undefined) {
      const { version, ...position } = duplicate;
      entry.settle({ kind: 'duplicate', state: this.#states.state(lane.streamId), version, position });
    } else if (++entry.losses > this.#options.limits.maxConflictRetries) {
      entry.settle({ kind: 'conflict', attempts: entry.losses });
    } else if (!entry.settled) {
      lane.waiting.unshift(entry);
      this.#rewind(lane, 1);
      return;
    }
    this.#rewind(lane);
  }

  /** Takes the whole chain back; what was sent must be heard of before anything is decided again. */
  #rewind(lane: Lane<S, E>, ahead = 0): void {
    const { again, unsent } = takeBack(lane);
    for (const { outgoing } of unsent) this.#outbox(lane.partition).remove(outgoing);
    lane.waiting.splice(ahead, 0, ...again);
  }

  #onDeadline(lane: Lane<S, E>, entry: Entry<S, E>): void {
    const inChain = lane.chain.findIndex((link) => link.entry === entry);
    const link = lane.chain[inChain];
    if (link?.kind === 'commit' && link.sent) {
      entry.settle({ kind: 'unknown', commitId: fromKey(entry.commit) }); // stays in the chain: its echo may come
      return;
    }
    const rewound = lane.rewinding.some((other) => other.entry === entry);
    entry.settle(
      rewound ? { kind: 'unknown', commitId: fromKey(entry.commit) } : unavailable('disconnected'),
    );
    if (link?.kind === 'commit') {
      // Never sent, so nothing behind it was: what is chained on it is decided again without it.
      this.#outbox(lane.partition).remove(link.outgoing);
      const behind = lane.chain.splice(inChain);
      for (const later of behind) {
        if (later.kind === 'commit') this.#outbox(lane.partition).remove(later.outgoing);
      }
      lane.waiting.unshift(...behind.filter((later) => !later.entry.settled).map((later) => later.entry));
    }
    lane.waiting = lane.waiting.filter((waiting) => waiting !== entry);
    this.#advance(lane);
  }

  /** Settles everything. What was not sent never will be. */
  #abandon(reason: Unavailable['reason']): void {
    for (const lane of this.#lanes.values()) {
      for (const link of [...lane.chain, ...lane.rewinding]) {
        if (link.kind === 'commit' && link.sent) {
          link.entry.settle({ kind: 'unknown', commitId: fromKey(link.entry.commit) });
        } else {
          if (link.kind === 'commit') this.#outbox(lane.partition).remove(link.outgoing);
          link.entry.settle(unavailable(reason));
        }
      }
      for (const entry of lane.waiting) entry.settle(unavailable(reason));
    }
    this.#lanes.clear();
  }

  /**
   * What the broker acknowledged long ago and the reader does not meet may have gone with the end of a log that was
   * cut; nothing of its stream could be decided ever again. Copies are inert, so it is sent again, in chain order.
   */
  #resend(): void {
    const before = this.#options.now() - this.#options.limits.echoDeadlineMs;
    for (const lane of this.#lanes.values()) {
      for (const { outgoing } of takeUnheard(lane, before)) this.#outbox(lane.partition).add(outgoing);
    }
  }

  #laneOf(streamId: string): Lane<S, E> {
    const known = this.#lanes.get(streamId);
    if (known !== undefined) return known;
    const lane: Lane<S, E> = {
      streamId,
      partition: this.#partitionOf(streamId),
      chain: [],
      waiting: [],
      rewinding: [],
    };
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

/**
 * The write side of one aggregate type: decides, chains, appends, and learns the fate of each commit from the fold.
 *
 * Commands on one stream are decided in the order of the calls, each on the state that the ones before it lead to.
 * When the head of a chain loses, all behind it lose too; once the log has told of every copy that was sent, they
 * are decided again, in order, on the folded state.
 */
import { context } from '@opentelemetry/api';
import type { Judged } from '../arbitration/arbiter.ts';
import { fromKey, toKey, type CommitKey } from '../arbitration/commit-header.ts';
import type {
  AggregateDefinition,
  Aggregates,
  AppendOutcome,
  Command,
  CommandOutcome,
  Commit,
  DomainEvent,
} from '../ports.ts';
import { AggregateFold } from './aggregate-fold.ts';
import { recordsOf } from './attempt.ts';
import type { CommitLink, Entry, Lane, Link } from './lane.ts';
import { Outbox } from './outbox.ts';
import { partitionOf } from './partition-of.ts';
import { invalidSize, PlainAppends, tooLarge, type WriterOptions } from './plain-appends.ts';
import { tracedAppend } from './spans.ts';
import type { EchoListener, TopicFold } from './topic-fold.ts';
import type { Transport } from './transport.ts';

type Unavailable = Extract<AppendOutcome, { kind: 'unavailable' }>;
const unavailable = (reason: Unavailable['reason']): Unavailable => ({ kind: 'unavailable', reason });

export class Writer<S, E extends DomainEvent> implements Aggregates<S, E>, EchoListener {
  readonly #definition: AggregateDefinition<S, E>;
  readonly #fold: TopicFold<E>;
  readonly #states: AggregateFold<S, E>;
  readonly #options: WriterOptions;
  readonly #outboxes: readonly Outbox[];
  readonly #lanes = new Map<string, Lane<S, E>>();
  readonly #plain: PlainAppends<E>;
  readonly #byCommand = new Map<string, Promise<CommandOutcome<S, unknown>>>();
  #open = false;
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
    this.#open = true;
  }

  /** Commands not yet settled. */
  get queued(): number {
    return this.#queued;
  }

  /** Refuses new commands; what is unsettled is settled as `unavailable` or `unknown`. */
  close(): void {
    this.#open = false;
    for (const outbox of this.#outboxes) outbox.close();
    for (const lane of this.#lanes.values()) {
      for (const link of [...lane.chain, ...lane.rewinding]) this.#expire(link, 'closed');
      for (const entry of lane.waiting) entry.settle(unavailable('closed'));
    }
    this.#lanes.clear();
  }

  load(streamId: string): {
    readonly state: S;
    readonly version: number;
    readonly lastCommitId: string | undefined;
  } {
    const head = this.#fold.head(this.#partitionOf(streamId), streamId);
    return {
      state: this.#states.state(streamId),
      version: head?.version ?? 0,
      lastCommitId: head === undefined ? undefined : fromKey(head.last),
    };
  }

  streamIds(): Iterable<string> {
    return this.#fold.streamIds();
  }

  execute<R>(command: Command<S, E, R>): Promise<CommandOutcome<S, R>> {
    if (!this.#open) return Promise.resolve(unavailable('closed'));
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
    void outcome.finally(() => this.#byCommand.delete(name));
    return outcome as Promise<CommandOutcome<S, R>>;
  }

  append(commit: Commit<E>, options: { readonly deadlineMs?: number } = {}): Promise<AppendOutcome> {
    if (!this.#open) return Promise.resolve(unavailable('closed'));
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
    for (const lane of this.#lanes.values()) {
      for (const link of [...lane.chain, ...lane.rewinding]) this.#expire(link, 'disconnected');
      for (const entry of lane.waiting) entry.settle(unavailable('disconnected'));
    }
    this.#lanes.clear();
  }

  #enqueue(command: Command<S, E, unknown>): Promise<CommandOutcome<S, unknown>> {
    return new Promise((resolve) => {
      const deadlineMs = command.deadlineMs ?? this.#options.limits.echoDeadlineMs;
      const active = context.active();
      const entry: Entry<S, E> = {
        command,
        commit: toKey(command.commandId),
        deadlineAtMs: this.#options.now() + deadlineMs,
        inContext: (fn) => context.with(active, fn),
        settle: (outcome) => {
          if (entry.settled) return;
          entry.settled = true;
          clearTimeout(entry.timer);
          this.#queued--;
          resolve(outcome);
        },
        settled: false,
        losses: 0,
        timer: undefined,
      };
      this.#queued++;
      const lane = this.#laneOf(command.streamId);
      entry.timer = setTimeout(() => {
        this.#onDeadline(lane, entry);
      }, deadlineMs);
      lane.waiting.push(entry);
      this.#advance(lane);
    });
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
      if (entry !== undefined && !entry.settled) this.#decide(lane, entry);
    }
    if (lane.chain.length === 0 && lane.waiting.length === 0) this.#lanes.delete(lane.streamId);
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
    const link: CommitLink<S, E> = {
      kind: 'commit',
      entry,
      previous: decided.previous,
      state: decided.events.reduce<S>((state, event) => this.#definition.evolve(state, event), decided.state),
      version: decided.version + decided.events.length,
      outgoing: {
        records,
        bytes,
        onSending: () => (link.sent = true),
        onRefused: (detail) => {
          entry.settle({ kind: 'rejected', reason: 'too-large', detail });
          link.sent = false; // certainly not in the log: no echo will come
          lane.rewinding = lane.rewinding.filter((rewound) => rewound !== link);
          this.#rewind(lane);
          this.#advance(lane);
        },
      },
      sent: false,
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
    const again: Entry<S, E>[] = [];
    for (const link of lane.chain) {
      if (link.kind === 'commit') {
        if (link.sent) lane.rewinding.push(link);
        else this.#outbox(lane.partition).remove(link.outgoing);
      }
      if (!link.entry.settled) again.push(link.entry);
    }
    lane.chain = [];
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

  #expire(link: Link<S, E>, reason: Unavailable['reason']): void {
    if (link.kind === 'commit' && link.sent)
      link.entry.settle({ kind: 'unknown', commitId: fromKey(link.entry.commit) });
    else link.entry.settle(unavailable(reason));
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

function isAttempt<S, E extends DomainEvent>(
  link: Link<S, E>,
  commit: CommitKey,
  previous: CommitKey,
): link is CommitLink<S, E> {
  return link.kind === 'commit' && link.entry.commit === commit && link.previous === previous;
}

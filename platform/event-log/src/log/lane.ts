/**
 * What waits or is under way on one stream in this process.
 *
 * Commands are decided in the order of the calls, each on the state that the ones before it lead to. When the head of
 * the chain loses, all behind it lose too; once the log has told of every copy that was sent, they are decided again,
 * in order, on the folded state.
 */
import type { Judged } from '../arbitration/arbiter.ts';
import {
  contentOf,
  fromKey,
  historyAfter,
  NO_HISTORY,
  type CommitKey,
} from '../arbitration/commit-header.ts';
import type {
  AggregateDefinition,
  AppendOutcome,
  CommandOutcome,
  DomainEvent,
  LogPosition,
} from '../ports.ts';
import type { AggregateFold } from './aggregate-fold.ts';
import { recordsOf } from './attempt.ts';
import { CommitLink, isAttempt, type Link, type LinkOwner } from './chain-link.ts';
import type { Entry } from './entry.ts';
import type { Outbox } from './outbox.ts';
import { invalidSize, refused, tooLarge, type WriterOptions } from './plain-appends.ts';
import type { TopicFold } from './topic-fold.ts';

export type Unavailable = Extract<AppendOutcome, { kind: 'unavailable' }>;
export const unavailable = (reason: Unavailable['reason']): Unavailable => ({ kind: 'unavailable', reason });

/** What the lanes of one aggregate type share. */
export interface LaneContext<S, E extends DomainEvent> {
  readonly definition: AggregateDefinition<S, E>;
  readonly fold: TopicFold<E>;
  readonly states: AggregateFold<S, E>;
  readonly options: WriterOptions;
  /** Commits that may be in the log and whose commands were told `unknown`: they take room until they are heard of. */
  readonly orphans: { count: number };
  /** Nothing of this process is under way on the stream any more. */
  readonly onIdle: (streamId: string, lane: Lane<S, E>) => void;
}

/** A version that a stream had, and how it came to it. */
interface Base<S> {
  readonly state: S;
  readonly version: number;
  readonly previous: CommitKey;
  readonly history: number;
}

export class Lane<S, E extends DomainEvent> implements LinkOwner<S, E> {
  readonly #shared: LaneContext<S, E>;
  readonly #streamId: string;
  readonly partition: number;
  readonly #outbox: Outbox;
  /** Decided, in chain order; the head is decided on the folded state. */
  #chain: Link<S, E>[] = [];
  /** Not decided yet, in order. */
  #waiting: Entry<S, E>[] = [];
  /** After a loss: sent links that must be heard of before anything is decided again. */
  #rewinding: CommitLink<S, E>[] = [];
  /** Nothing is decided before the outbox is free. */
  #held = false;

  constructor(
    shared: LaneContext<S, E>,
    at: { readonly streamId: string; readonly partition: number; readonly outbox: Outbox },
  ) {
    this.#shared = shared;
    this.#streamId = at.streamId;
    this.partition = at.partition;
    this.#outbox = at.outbox;
  }

  /** Decides it now, or as soon as what is before it allows. */
  add(entry: Entry<S, E>): void {
    this.#waiting.push(entry);
    this.#advance();
  }

  /** What the log says of a commit of the stream, whoever wrote it; the fold has it already. */
  onVerdict(judged: Judged<unknown>, position: LogPosition): void {
    const rewound = this.#rewinding.find((link) => isAttempt(link, judged));
    const [head] = this.#chain;
    if (rewound !== undefined) {
      this.#rewinding = this.#rewinding.filter((link) => link !== rewound);
      this.#forget(rewound);
      if (judged.verdict === 'accepted') settleAccepted(rewound, position);
    } else if (head !== undefined && isAttempt(head, judged)) {
      this.#headJudged(head, judged, position);
    } else if (judged.verdict === 'accepted' && head !== undefined) {
      // A stranger's commit: whatever is chained here is based on a state that is no more, so it has lost for ever.
      // When it is the head's own command, from elsewhere, that is found when it is decided again.
      const isLoss = judged.header.commit !== head.entry.commit;
      if (isLoss && ++head.entry.losses > this.#shared.options.limits.maxConflictRetries) {
        head.entry.settle({ kind: 'conflict', attempts: head.entry.losses });
      }
      this.#waiting.unshift(...this.#takeBack(0));
    }
    this.#advance();
  }

  /** Its time is up: told `unknown` when it may be in the log, else it never will be. */
  onDeadline(entry: Entry<S, E>): void {
    const inChain = this.#chain.findIndex((link) => link.entry === entry);
    const link = this.#chain[inChain];
    if (link?.kind === 'commit' && link.sent) {
      this.#settleUnknown(link); // stays in the chain: its echo may come
      return;
    }
    const rewound = this.#rewinding.find((other) => other.entry === entry);
    if (rewound === undefined) entry.settle(this.#givenUp(entry, 'disconnected'));
    else this.#settleUnknown(rewound);
    if (link?.kind === 'commit') {
      // Never sent, so nothing behind it was: what is chained on it is decided again without it, but not at every
      // deadline of a chain whose outbox hangs.
      this.#waiting.unshift(...this.#takeBack(inChain));
      this.#hold();
    }
    this.#waiting = this.#waiting.filter((waiting) => waiting !== entry);
    this.#advance();
  }

  onRefused(link: CommitLink<S, E>, detail: string, certain: boolean): void {
    const outcome = refused(fromKey(link.entry.commit), detail, certain);
    if (outcome.kind === 'unknown') this.#settleUnknown(link);
    else link.entry.settle(outcome);
    const isAwaited = !certain && !link.doubted;
    if (isAwaited) {
      // As if it had been acknowledged: sent again when it is not heard of, and given up when it is refused once more.
      link.doubted = true;
      link.acknowledgedAtMs = this.now();
    } else {
      link.sent = false;
      this.#forget(link);
      this.#rewinding = this.#rewinding.filter((rewound) => rewound !== link);
    }
    const inChain = this.#chain.indexOf(link);
    if (inChain !== -1) this.#waiting.unshift(...this.#takeBack(inChain));
    this.#advance();
  }

  /** Settles everything. What was not sent never will be. The lane is of no use behind it. */
  abandon(reason: Unavailable['reason']): void {
    for (const entry of this.#waiting) entry.settle(this.#givenUp(entry, reason));
    for (const link of [...this.#chain, ...this.#rewinding]) {
      if (link.kind === 'commit' && link.sent) {
        link.entry.settle({ kind: 'unknown', commitId: fromKey(link.entry.commit) });
        this.#forget(link);
      } else {
        if (link.kind === 'commit') this.#outbox.remove(link);
        link.entry.settle(unavailable(reason));
      }
    }
    this.#chain = [];
    this.#rewinding = [];
    this.#waiting = [];
  }

  /** One was acknowledged before `beforeMs` and not met in the log. */
  isOverdue(beforeMs: number): boolean {
    return this.#acknowledged().some(({ acknowledgedAtMs = Infinity }) => acknowledgedAtMs <= beforeMs);
  }

  /** When one is overdue: sends all acknowledged ones, in chain order. */
  resend(beforeMs: number): void {
    if (!this.isOverdue(beforeMs)) return;
    const again = this.#acknowledged();
    for (const link of again) link.acknowledgedAtMs = undefined;
    this.#outbox.addFirst(again);
  }

  now(): number {
    return this.#shared.options.now();
  }

  /** Settles what the head of the chain allows, then decides what waits. */
  #advance(): void {
    for (let [head] = this.#chain; head?.kind === 'answer'; [head] = this.#chain) {
      this.#chain.shift();
      head.entry.settle(head.outcome);
    }
    if (this.#rewinding.length > 0 || this.#held) return;
    while (this.#waiting.length > 0 && this.#chain.length < this.#shared.options.limits.maxChainLength) {
      const entry = this.#waiting.shift();
      if (entry === undefined || entry.settled) continue;
      try {
        this.#decide(entry);
      } catch (error) {
        entry.fail(error); // its own bug: neither the reader that tells verdicts nor the commands behind it suffer
      }
    }
    if (this.#chain.length === 0 && this.#waiting.length === 0) this.#shared.onIdle(this.#streamId, this);
  }

  #decide(entry: Entry<S, E>): void {
    const { definition, fold, states } = this.#shared;
    const head = fold.head(this.partition, this.#streamId);
    const earlier = fold.find(this.partition, head, entry.commit);
    if (earlier !== undefined) {
      const { version, ...position } = earlier;
      entry.settle({ kind: 'duplicate', state: states.state(this.#streamId), version, position });
      return;
    }
    const same = this.#chain.find((link) => link.kind === 'commit' && link.entry.commit === entry.commit);
    if (same?.kind === 'commit') {
      this.#forget(same);
      same.entry = entry; // told unknown before, and repeated while its echo may still come
      return;
    }
    const tail = this.#chain.findLast((link) => link.kind === 'commit');
    const base: Base<S> =
      tail === undefined
        ? {
            state: head === undefined ? definition.initial : states.state(this.#streamId),
            version: head?.version ?? 0,
            previous: head?.last ?? '',
            history: head?.history ?? NO_HISTORY,
          }
        : {
            state: tail.state,
            version: tail.version,
            previous: tail.entry.commit,
            history: tail.historyAfter,
          };
    const { state, version } = base;
    const decision = entry.command.decide(state, version);
    if (decision.kind === 'refused')
      this.#answer(entry, { kind: 'refused', rejection: decision.rejection, state, version });
    else if (decision.events.length === 0) this.#answer(entry, { kind: 'unchanged', state, version });
    else this.#append(entry, decision.events, base);
  }

  /** True only if everything before it in the chain is accepted, so told only then. */
  #answer(entry: Entry<S, E>, outcome: CommandOutcome<S, unknown>): void {
    if (this.#chain.length === 0) entry.settle(outcome);
    else this.#chain.push({ kind: 'answer', entry, outcome });
  }

  #append(entry: Entry<S, E>, events: readonly E[], decidedOn: Base<S>): void {
    const invalid = invalidSize(events.length);
    if (invalid !== undefined) {
      entry.settle(invalid);
      return;
    }
    const { definition, fold, options } = this.#shared;
    const { limits, source, now } = options;
    const { commit, command } = entry;
    const { previous, history, version: base } = decidedOn;
    const { records, bytes } = recordsOf(
      { streamId: this.#streamId, commit, previous, base, history, events, metadata: command.metadata },
      fold.codec,
      { source, nowMs: now(), context: entry.context },
    );
    if (bytes > limits.maxBatchBytes) {
      entry.settle(tooLarge(bytes, limits.maxBatchBytes));
      return;
    }
    const content = contentOf(records.map(({ value }) => fold.codec.digest(value)));
    const attempt = {
      previous,
      history,
      state: events.reduce<S>((state, event) => definition.evolve(state, event), decidedOn.state),
      version: base + events.length,
      historyAfter: historyAfter(history, commit, content),
      content,
      records,
      bytes,
    };
    const link = new CommitLink<S, E>(entry, attempt, this);
    this.#chain.push(link);
    this.#outbox.add(link);
  }

  #headJudged(head: CommitLink<S, E>, judged: Judged<unknown>, position: LogPosition): void {
    const { entry } = head;
    this.#chain.shift();
    this.#forget(head);
    if (judged.verdict === 'accepted') {
      settleAccepted(head, position);
      return;
    }
    const again = this.#takeBack(0);
    if (judged.verdict === 'duplicate') {
      const state = this.#shared.states.state(this.#streamId);
      entry.settle({ kind: 'duplicate', state, version: judged.version, position });
    } else if (++entry.losses > this.#shared.options.limits.maxConflictRetries) {
      entry.settle({ kind: 'conflict', attempts: entry.losses });
    } else if (!entry.settled) again.unshift(entry);
    this.#waiting.unshift(...again);
  }

  /**
   * Takes the chain back from a link on: what was sent is to be heard of before anything is decided again.
   * @returns the commands that are not settled, in order: they are to be decided again
   */
  #takeBack(from: number): Entry<S, E>[] {
    const again: Entry<S, E>[] = [];
    for (const link of this.#chain.splice(from)) {
      if (link.kind === 'commit') {
        if (link.sent) this.#rewinding.push(link);
        else this.#outbox.remove(link);
      }
      if (!link.entry.settled) again.push(link.entry);
    }
    return again;
  }

  /** However many deadlines pass while the outbox hangs, what they change is decided once. */
  #hold(): void {
    if (this.#held) return;
    this.#held = true;
    this.#outbox.whenFree(() => {
      this.#held = false;
      this.#advance();
    });
  }

  /** What is told of a command that has no attempt of its own: one that it repeats may be in the log. */
  #givenUp({ commit }: Entry<S, E>, reason: Unavailable['reason']): CommandOutcome<S, unknown> {
    const isOnItsWay = [...this.#chain, ...this.#rewinding].some(
      (link) => link.kind === 'commit' && link.sent && link.entry.commit === commit,
    );
    return isOnItsWay ? { kind: 'unknown', commitId: fromKey(commit) } : unavailable(reason);
  }

  #acknowledged(): readonly CommitLink<S, E>[] {
    return [...this.#rewinding, ...this.#chain].filter(
      (link): link is CommitLink<S, E> => link.kind === 'commit' && link.acknowledgedAtMs !== undefined,
    );
  }

  #settleUnknown(link: CommitLink<S, E>): void {
    link.entry.settle({ kind: 'unknown', commitId: fromKey(link.entry.commit) });
    if (link.orphaned) return;
    link.orphaned = true;
    this.#shared.orphans.count++;
  }

  /** It was heard of, or never will be, or someone waits for it again. */
  #forget(link: CommitLink<S, E>): void {
    if (!link.orphaned) return;
    link.orphaned = false;
    this.#shared.orphans.count--;
  }
}

function settleAccepted<S, E extends DomainEvent>(link: CommitLink<S, E>, position: LogPosition): void {
  link.entry.settle({ kind: 'accepted', state: link.state, version: link.version, position });
}

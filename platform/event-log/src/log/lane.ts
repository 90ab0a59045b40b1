/** What waits or is under way on one stream in this process. */
import { context } from '@opentelemetry/api';
import { toKey, type CommitKey } from '../arbitration/commit-header.ts';
import type { Command, CommandOutcome, DomainEvent } from '../ports.ts';
import type { Outgoing } from './outbox.ts';
import type { Refused } from './plain-appends.ts';

/** A command from `execute` until its outcome. The rejection type is the caller's; inside it is opaque. */
export interface Entry<S, E extends DomainEvent> {
  readonly command: Command<S, E, unknown>;
  readonly commit: CommitKey;
  /** Runs in the caller's trace context. */
  readonly inContext: <T>(fn: () => T) => T;
  /** First call of `settle` or `fail` wins; later ones are ignored. */
  readonly settle: (outcome: CommandOutcome<S, unknown>) => void;
  /** A broken invariant: the decider threw, or an event does not fit its schema. */
  readonly fail: (error: unknown) => void;
  settled: boolean;
  losses: number;
  /** Versions that lost attempts of this command led to, on which other commits that were sent are chained. */
  readonly lostVersions: Set<number>;
  timer: NodeJS.Timeout | undefined;
}

/** A command that waits, and its outcome. `onConcluded` is told once, before the outcome is. */
export function entryOf<S, E extends DomainEvent>(
  command: Command<S, E, unknown>,
  onConcluded: () => void,
): { readonly entry: Entry<S, E>; readonly outcome: Promise<CommandOutcome<S, unknown>> } {
  const commit = toKey(command.commandId);
  const active = context.active();
  const { promise: outcome, resolve, reject } = Promise.withResolvers<CommandOutcome<S, unknown>>();
  const isFirst = (): boolean => {
    if (entry.settled) return false;
    entry.settled = true;
    clearTimeout(entry.timer);
    onConcluded();
    return true;
  };
  const entry: Entry<S, E> = {
    command,
    commit,
    inContext: (fn) => context.with(active, fn),
    settle: (told) => {
      if (isFirst()) resolve(told);
    },
    fail: (error) => {
      if (isFirst()) reject(error instanceof Error ? error : new Error(String(error)));
    },
    settled: false,
    losses: 0,
    lostVersions: new Set(),
    timer: undefined,
  };
  return { entry, outcome };
}

/** Events on their way to the log. `state` and `version` are those after this commit. */
export interface CommitLink<S, E extends DomainEvent> {
  readonly kind: 'commit';
  /** Whom the fate is told: the command, or its repetition after it was told `unknown`. */
  entry: Entry<S, E>;
  readonly previous: CommitKey;
  readonly state: S;
  readonly version: number;
  readonly outgoing: Outgoing;
  sent: boolean;
  /** Refused after an attempt that was not answered: it may be in the log. */
  doubted: boolean;
  /** When the broker acknowledged it; undefined while a send is under way. */
  acknowledgedAtMs: number | undefined;
}

/** No events, or a refusal: true only if everything before it in the chain is accepted. */
export interface AnswerLink<S, E extends DomainEvent> {
  readonly kind: 'answer';
  readonly entry: Entry<S, E>;
  readonly outcome: CommandOutcome<S, unknown>;
}

/** A decided command in the chain of its stream. */
export type Link<S, E extends DomainEvent> = CommitLink<S, E> | AnswerLink<S, E>;

export interface Lane<S, E extends DomainEvent> {
  readonly streamId: string;
  readonly partition: number;
  /** Decided, in chain order; the head is decided on the folded state. */
  chain: Link<S, E>[];
  /** Not decided yet, in order. */
  waiting: Entry<S, E>[];
  /** After a loss: sent links that must be heard of before anything is decided again. */
  rewinding: CommitLink<S, E>[];
}

/** True when the link is the attempt of a commit on this predecessor. */
export function isAttempt<S, E extends DomainEvent>(
  link: Link<S, E>,
  commit: CommitKey,
  previous: CommitKey,
): link is CommitLink<S, E> {
  return link.kind === 'commit' && link.entry.commit === commit && link.previous === previous;
}

/** Notes the version that a lost link would have led to, when something chained on it may be in the log. */
export function noteFollower<S, E extends DomainEvent>(
  link: CommitLink<S, E>,
  behind: readonly Link<S, E>[],
): void {
  const follower = behind.find(({ kind }) => kind === 'commit');
  if (follower?.kind === 'commit' && follower.sent) link.entry.lostVersions.add(link.version);
}

/** Empties the chain. What was sent is to be heard of; the commands that are not settled are to be decided again. */
export function takeBack<S, E extends DomainEvent>(
  lane: Lane<S, E>,
): { readonly again: readonly Entry<S, E>[]; readonly unsent: readonly CommitLink<S, E>[] } {
  const again: Entry<S, E>[] = [];
  const unsent: CommitLink<S, E>[] = [];
  let predecessor: CommitLink<S, E> | undefined;
  for (const link of lane.chain) {
    if (link.kind === 'commit') {
      if (predecessor !== undefined) noteFollower(predecessor, [link]);
      predecessor = link;
      (link.sent ? lane.rewinding : unsent).push(link);
    }
    if (!link.entry.settled) again.push(link.entry);
  }
  lane.chain = [];
  return { again, unsent };
}

/**
 * The broker refuses a link; the chain is to be taken back. No echo will come of what is certainly not in the log. What
 * may be there is awaited as if it had been acknowledged, and no longer when it was sent again and refused once more.
 */
export function takeRefusal<S, E extends DomainEvent>(
  lane: Lane<S, E>,
  link: CommitLink<S, E>,
  refusal: { readonly outcome: Refused; readonly nowMs: number },
): void {
  link.entry.settle(refusal.outcome);
  if (refusal.outcome.kind === 'unknown' && !link.doubted) {
    link.doubted = true;
    link.acknowledgedAtMs = refusal.nowMs;
    return;
  }
  link.sent = false;
  lane.rewinding = lane.rewinding.filter((rewound) => rewound !== link);
}

/** When one was acknowledged before `beforeMs` and never met in the log: all acknowledged ones, in chain order. */
export function takeUnheard<S, E extends DomainEvent>(
  lane: Lane<S, E>,
  beforeMs: number,
): readonly CommitLink<S, E>[] {
  const acknowledged = [...lane.rewinding, ...lane.chain].filter(
    (link) => link.kind === 'commit' && link.acknowledgedAtMs !== undefined,
  ) as CommitLink<S, E>[];
  if (!acknowledged.some(({ acknowledgedAtMs = Infinity }) => acknowledgedAtMs <= beforeMs)) return [];
  for (const link of acknowledged) link.acknowledgedAtMs = undefined;
  return acknowledged;
}

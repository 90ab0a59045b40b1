/** What waits or is under way on one stream in this process. */
import type { Context } from '@opentelemetry/api';
import type { CommitHeader, CommitKey } from '../arbitration/commit-header.ts';
import type { Command, CommandOutcome, DomainEvent } from '../ports.ts';
import type { Outgoing } from './outbox.ts';
import type { NewRecord } from './transport.ts';

/** A command from `execute` until its outcome. The rejection type is the caller's; inside it is opaque. */
export class Entry<S, E extends DomainEvent> {
  readonly command: Command<S, E, unknown>;
  readonly commit: CommitKey;
  /** The trace context that its records carry on. */
  readonly context: Context;
  readonly outcome: Promise<CommandOutcome<S, unknown>>;
  losses = 0;
  timer: NodeJS.Timeout | undefined;
  #settled = false;
  readonly #onConcluded: (outcome: CommandOutcome<S, unknown> | undefined) => void;
  readonly #resolve: (outcome: CommandOutcome<S, unknown>) => void;
  readonly #reject: (error: Error) => void;

  /** `onConcluded` is told once, before the outcome is; undefined when there is none. */
  constructor(
    command: Command<S, E, unknown>,
    { commit, context }: { readonly commit: CommitKey; readonly context: Context },
    onConcluded: (outcome: CommandOutcome<S, unknown> | undefined) => void,
  ) {
    const { promise, resolve, reject } = Promise.withResolvers<CommandOutcome<S, unknown>>();
    this.command = command;
    this.commit = commit;
    this.context = context;
    this.outcome = promise;
    this.#onConcluded = onConcluded;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** First call of `settle` or `fail` wins; later ones are ignored. */
  settle(outcome: CommandOutcome<S, unknown>): void {
    if (!this.#conclude(outcome)) return;
    this.#resolve(outcome);
  }

  /** A broken invariant: the decider threw, or an event does not fit its schema. */
  fail(error: unknown): void {
    if (!this.#conclude(undefined)) return;
    this.#reject(error instanceof Error ? error : new Error(String(error)));
  }

  #conclude(outcome: CommandOutcome<S, unknown> | undefined): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    clearTimeout(this.timer);
    this.#onConcluded(outcome);
    return true;
  }
}

/** What an attempt led to, if it is accepted, and its records. */
export interface Attempt<S> {
  readonly previous: CommitKey;
  /** Of the stream before the commit. */
  readonly history: number;
  /** After the commit. */
  readonly state: S;
  /** After the commit. */
  readonly version: number;
  /** After the commit. */
  readonly historyAfter: number;
  readonly records: readonly NewRecord[];
  readonly bytes: number;
}

/** What a commit on its way asks of whom it belongs to. */
export interface LinkOwner<S, E extends DomainEvent> {
  readonly now: () => number;
  readonly refused: (link: CommitLink<S, E>, detail: string) => void;
}

/** Events on their way to the log. `state` and `version` are those after this commit. */
export class CommitLink<S, E extends DomainEvent> implements Outgoing {
  readonly kind = 'commit';
  /** Whom the fate is told: the command, or its repetition after it was told `unknown`. */
  entry: Entry<S, E>;
  readonly previous: CommitKey;
  readonly history: number;
  readonly state: S;
  readonly version: number;
  readonly historyAfter: number;
  readonly records: readonly NewRecord[];
  readonly bytes: number;
  sent = false;
  /** When the broker acknowledged it; undefined while a send is under way. */
  acknowledgedAtMs: number | undefined;
  readonly #owner: LinkOwner<S, E>;

  constructor(entry: Entry<S, E>, attempt: Attempt<S>, owner: LinkOwner<S, E>) {
    this.entry = entry;
    this.previous = attempt.previous;
    this.history = attempt.history;
    this.historyAfter = attempt.historyAfter;
    this.state = attempt.state;
    this.version = attempt.version;
    this.records = attempt.records;
    this.bytes = attempt.bytes;
    this.#owner = owner;
  }

  onSending(): void {
    this.sent = true;
  }

  onAcknowledged(): void {
    this.acknowledgedAtMs = this.#owner.now();
  }

  onRefused(detail: string): void {
    this.#owner.refused(this, detail);
  }
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

/** True when the link is the attempt that carries this header. */
export function isAttempt<S, E extends DomainEvent>(
  link: Link<S, E>,
  { commit, previous, history }: CommitHeader,
): link is CommitLink<S, E> {
  return (
    link.kind === 'commit' &&
    link.entry.commit === commit &&
    link.previous === previous &&
    link.history === history
  );
}

/** Empties the chain. What was sent is to be heard of; the commands that are not settled are to be decided again. */
export function takeBack<S, E extends DomainEvent>(
  lane: Lane<S, E>,
): { readonly again: readonly Entry<S, E>[]; readonly unsent: readonly CommitLink<S, E>[] } {
  const again: Entry<S, E>[] = [];
  const unsent: CommitLink<S, E>[] = [];
  for (const link of lane.chain) {
    if (link.kind === 'commit') (link.sent ? lane.rewinding : unsent).push(link);
    if (!link.entry.settled) again.push(link.entry);
  }
  lane.chain = [];
  return { again, unsent };
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

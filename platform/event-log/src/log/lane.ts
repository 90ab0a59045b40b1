/** What waits or is under way on one stream in this process. */
import type { CommitKey } from '../arbitration/commit-header.ts';
import type { Command, CommandOutcome, DomainEvent } from '../ports.ts';
import type { Outgoing } from './outbox.ts';

/** A command from `execute` until its outcome. The rejection type is the caller's; inside it is opaque. */
export interface Entry<S, E extends DomainEvent> {
  readonly command: Command<S, E, unknown>;
  readonly commit: CommitKey;
  readonly deadlineAtMs: number;
  /** Runs in the caller's trace context. */
  readonly inContext: <T>(fn: () => T) => T;
  /** First call wins; later ones are ignored. */
  readonly settle: (outcome: CommandOutcome<S, unknown>) => void;
  settled: boolean;
  losses: number;
  timer: NodeJS.Timeout | undefined;
}

/** Events on their way to the log. `state` and `version` are those after this commit. */
export interface CommitLink<S, E extends DomainEvent> {
  readonly kind: 'commit';
  readonly entry: Entry<S, E>;
  readonly previous: CommitKey;
  readonly state: S;
  readonly version: number;
  readonly outgoing: Outgoing;
  sent: boolean;
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
  rewinding: Link<S, E>[];
}

/** A decided command in the chain of its stream. */
import type { CommitHeader, CommitKey } from '../arbitration/commit-header.ts';
import type { CommandOutcome, DomainEvent } from '../ports.ts';
import type { Entry } from './entry.ts';
import type { Outgoing } from './outbox.ts';
import type { NewRecord } from './transport.ts';

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
  now(): number;
  /** Certainly not in the log: no echo will come. */
  onRefused(link: CommitLink<S, E>, detail: string): void;
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
    this.#owner.onRefused(this, detail);
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

/** A decided command in the chain of its stream. */
import type { Judged } from '../arbitration/arbiter.ts';
import type { CommitKey } from '../arbitration/commit-header.ts';
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
  readonly content: number;
  readonly records: readonly NewRecord[];
  readonly bytes: number;
}

/** What a commit on its way asks of whom it belongs to. */
export interface LinkOwner<S, E extends DomainEvent> {
  now(): number;
  /** By the broker; see `Outgoing.onRefused`. */
  onRefused(link: CommitLink<S, E>, detail: string, certain: boolean): void;
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
  /** Digest of the values of its records. */
  readonly content: number;
  sent = false;
  /** Refused after an attempt that was not answered: it may be in the log. */
  doubted = false;
  /** Nobody waits for its fate any more: its command was told `unknown`. */
  orphaned = false;
  /** When the broker acknowledged it; undefined while a send is under way. */
  acknowledgedAtMs: number | undefined;
  readonly #owner: LinkOwner<S, E>;

  constructor(entry: Entry<S, E>, attempt: Attempt<S>, owner: LinkOwner<S, E>) {
    this.entry = entry;
    this.previous = attempt.previous;
    this.history = attempt.history;
    this.historyAfter = attempt.historyAfter;
    this.content = attempt.content;
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

  onRefused(detail: string, certain: boolean): void {
    this.#owner.onRefused(this, detail, certain);
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

/** True when it is the link's own attempt that was judged, and not another one of the same command. */
export function isAttempt<S, E extends DomainEvent>(
  link: Link<S, E>,
  { header, content }: Pick<Judged<unknown>, 'header' | 'content'>,
): link is CommitLink<S, E> {
  return (
    link.kind === 'commit' &&
    link.entry.commit === header.commit &&
    link.previous === header.previous &&
    link.history === header.history &&
    link.content === content
  );
}

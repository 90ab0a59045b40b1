/** Commits appended as they are, without deciding: their fate is that of one attempt. */
import { context } from '@opentelemetry/api';
import type { Judged } from '../arbitration/arbiter.ts';
import { contentOf, MAX_COMMIT_EVENTS, toKey } from '../arbitration/commit-header.ts';
import type { AvroCodec } from '../avro/codec.ts';
import type { AppendOutcome, Commit, DomainEvent, LogPosition } from '../ports.ts';
import { attemptKey, recordsOf } from './attempt.ts';
import type { LogLimits } from './limits.ts';
import type { Outbox, Outgoing } from './outbox.ts';
import type { SendTurns } from './send-turns.ts';

export interface WriterOptions {
  readonly limits: LogLimits;
  /** ce_source of the events. */
  readonly source: string;
  readonly now: () => number;
  readonly turns: SendTurns;
}

type Rejected = Extract<AppendOutcome, { kind: 'rejected' }>;

/** Undefined when a commit may have this many events. */
export function invalidSize(events: number): Rejected | undefined {
  if (events > 0 && events <= MAX_COMMIT_EVENTS) return undefined;
  return {
    kind: 'rejected',
    reason: 'invalid',
    detail: `a commit has 1 to ${MAX_COMMIT_EVENTS} events, not ${events}`,
  };
}

export const tooLarge = (bytes: number, maxBytes: number): Rejected => ({
  kind: 'rejected',
  reason: 'too-large',
  detail: `the commit has ${bytes} bytes, at most ${maxBytes} fit`,
});

export type Refused = Extract<AppendOutcome, { kind: 'rejected' | 'unknown' }>;

/** What is told of a commit that the broker refuses: unknown when an earlier attempt may have written it. */
export const refused = (commitId: string, detail: string, certain: boolean): Refused =>
  certain ? { kind: 'rejected', reason: 'too-large', detail } : { kind: 'unknown', commitId };

interface Pending {
  readonly settle: (outcome: AppendOutcome) => void;
  /** Settles as what it is without an echo; what was not sent never will be. */
  readonly expire: (reason: 'closed' | 'disconnected') => void;
}

export class PlainAppends<E extends DomainEvent> {
  readonly #codec: AvroCodec<E>;
  readonly #outboxOf: (streamId: string) => Outbox;
  readonly #options: WriterOptions;
  /** By attempt; the same commit may be appended twice at the same time. */
  readonly #pending = new Map<string, Set<Pending>>();
  #count = 0;

  constructor(codec: AvroCodec<E>, outboxOf: (streamId: string) => Outbox, options: WriterOptions) {
    this.#codec = codec;
    this.#outboxOf = outboxOf;
    this.#options = options;
  }

  /** Appends not yet settled. */
  get queued(): number {
    return this.#count;
  }

  /** Settles everything as `unknown` (or `unavailable` when it was not sent). */
  close(): void {
    for (const all of [...this.#pending.values()]) for (const { expire } of [...all]) expire('closed');
  }

  /** Rejects when an event does not fit its schema. */
  async append(commit: Commit<E>, deadlineMs: number): Promise<AppendOutcome> {
    const { limits, source, now } = this.#options;
    const invalid = invalidSize(commit.events.length);
    if (invalid !== undefined) return invalid;
    if (this.#count >= limits.maxQueuedCommands) return { kind: 'unavailable', reason: 'queue-full' };
    const key = toKey(commit.commitId);
    const previous = commit.previousCommitId === undefined ? '' : toKey(commit.previousCommitId);
    // Of the commit before only the id is known here, not what it was decided on.
    const parts = { ...commit, commit: key, previous, base: commit.baseVersion, history: undefined };
    const { records, bytes } = recordsOf(parts, this.#codec, {
      source,
      nowMs: now(),
      context: context.active(),
    });
    if (bytes > limits.maxBatchBytes) return tooLarge(bytes, limits.maxBatchBytes);
    return new Promise((resolve) => {
      const state = { sent: false };
      const content = contentOf(records.map(({ value }) => this.#codec.digest(value)));
      const attempt = attemptKey(parts, content);
      const outbox = this.#outboxOf(commit.streamId);
      const settle = (outcome: AppendOutcome): void => {
        clearTimeout(timer);
        this.#forget(attempt, pending);
        resolve(outcome);
      };
      const outgoing: Outgoing = {
        records,
        bytes,
        onSending: () => (state.sent = true),
        onRefused: (detail, certain) => {
          settle(refused(commit.commitId, detail, certain));
        },
      };
      const expire: Pending['expire'] = (reason) => {
        if (!state.sent) outbox.remove(outgoing);
        settle(state.sent ? { kind: 'unknown', commitId: commit.commitId } : { kind: 'unavailable', reason });
      };
      const pending: Pending = { settle, expire };
      const timer = setTimeout(() => {
        expire('disconnected');
      }, deadlineMs);
      this.#remember(attempt, pending);
      outbox.add(outgoing);
    });
  }

  /** @returns whether it is told to a caller */
  onVerdict(judged: Judged<unknown>, position: LogPosition): boolean {
    if (this.#count === 0) return false;
    const all = this.#pending.get(attemptKey(judged.header, judged.content));
    const [first] = all ?? []; // one copy in the log answers one caller
    first?.settle(outcomeOf(judged, position));
    return first !== undefined;
  }

  /** The log was replaced under the reader: what was on its way may or may not be in it. */
  onReset(): void {
    for (const all of [...this.#pending.values()]) for (const { expire } of [...all]) expire('disconnected');
  }

  #remember(attempt: string, pending: Pending): void {
    const all = this.#pending.get(attempt) ?? new Set();
    this.#pending.set(attempt, all);
    all.add(pending);
    this.#count++;
  }

  #forget(attempt: string, pending: Pending): void {
    const all = this.#pending.get(attempt);
    if (all?.delete(pending) !== true) return;
    this.#count--;
    if (all.size === 0) this.#pending.delete(attempt);
  }
}

function outcomeOf(judged: Judged<unknown>, position: LogPosition): AppendOutcome {
  switch (judged.verdict) {
    case 'accepted':
    case 'duplicate':
      return { kind: judged.verdict, position, version: judged.version };
    case 'conflict':
    case 'unreadable':
      return { kind: 'conflict', version: judged.version };
  }
}

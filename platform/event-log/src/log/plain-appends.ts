/** Commits appended as they are, without deciding: their fate is that of one attempt. */
import type { Judged } from '../arbitration/arbiter.ts';
import { fromKey, MAX_COMMIT_EVENTS, toKey } from '../arbitration/commit-header.ts';
import type { AvroCodec } from '../avro/codec.ts';
import type { AppendOutcome, Commit, DomainEvent, LogPosition } from '../ports.ts';
import { attemptKey, recordsOf } from './attempt.ts';
import type { LogLimits } from './limits.ts';
import type { Outbox, Outgoing } from './outbox.ts';

export interface WriterOptions {
  readonly limits: LogLimits;
  /** ce_source of the events. */
  readonly source: string;
  readonly now: () => number;
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

type Settle = (outcome: AppendOutcome) => void;

export class PlainAppends<E extends DomainEvent> {
  readonly #codec: AvroCodec<E>;
  readonly #outboxOf: (streamId: string) => Outbox;
  readonly #options: WriterOptions;
  /** By attempt; the same commit may be appended twice at the same time. */
  readonly #pending = new Map<string, Set<Settle>>();
  #count = 0;

  constructor(codec: AvroCodec<E>, outboxOf: (streamId: string) => Outbox, options: WriterOptions) {
    this.#codec = codec;
    this.#outboxOf = outboxOf;
    this.#options = options;
  }

  append(commit: Commit<E>, deadlineMs: number): Promise<AppendOutcome> {
    const { limits, source, now } = this.#options;
    const invalid = invalidSize(commit.events.length);
    if (invalid !== undefined) return Promise.resolve(invalid);
    if (this.#count >= limits.maxQueuedCommands)
      return Promise.resolve({ kind: 'unavailable', reason: 'queue-full' });
    const key = toKey(commit.commitId);
    const previous = commit.previousCommitId === undefined ? '' : toKey(commit.previousCommitId);
    const parts = { ...commit, commit: key, previous, base: commit.baseVersion };
    const { records, bytes } = recordsOf(parts, this.#codec, { source, nowMs: now() });
    if (bytes > limits.maxBatchBytes) return Promise.resolve(tooLarge(bytes, limits.maxBatchBytes));
    return new Promise((resolve) => {
      let sent = false;
      const attempt = attemptKey(key, previous);
      const settle: Settle = (outcome) => {
        clearTimeout(timer);
        this.#forget(attempt, settle);
        resolve(outcome);
      };
      const outgoing: Outgoing = {
        records,
        bytes,
        onSending: () => (sent = true),
        onRefused: (detail) => {
          settle({ kind: 'rejected', reason: 'too-large', detail });
        },
      };
      const outbox = this.#outboxOf(commit.streamId);
      const timer = setTimeout(() => {
        if (!sent) outbox.remove(outgoing);
        settle(
          sent
            ? { kind: 'unknown', commitId: commit.commitId }
            : { kind: 'unavailable', reason: 'disconnected' },
        );
      }, deadlineMs);
      this.#remember(attempt, settle);
      outbox.add(outgoing);
    });
  }

  onVerdict(judged: Judged<unknown>, position: LogPosition): void {
    const settles = this.#pending.get(attemptKey(judged.header.commit, judged.header.previous));
    const [settle] = settles ?? []; // one copy in the log answers one caller
    settle?.(outcomeOf(judged, position));
  }

  /** The log was replaced under the reader: what was on its way may or may not be in it. */
  onReset(): void {
    for (const [attempt, settles] of this.#pending) {
      for (const settle of settles) settle({ kind: 'unknown', commitId: fromKey(attempt.slice(0, 16)) });
    }
  }

  #remember(attempt: string, settle: Settle): void {
    const settles = this.#pending.get(attempt) ?? new Set();
    this.#pending.set(attempt, settles);
    settles.add(settle);
    this.#count++;
  }

  #forget(attempt: string, settle: Settle): void {
    const settles = this.#pending.get(attempt);
    if (settles?.delete(settle) !== true) return;
    this.#count--;
    if (settles.size === 0) this.#pending.delete(attempt);
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

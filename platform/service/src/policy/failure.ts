/** Why a policy ended a call without an answer. */
export type PolicyReason = 'breaker-open' | 'bulkhead-full' | 'timeout';

/** Thrown by `Policy.execute` when the policy, not the function, ended the call. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
  readonly reason: PolicyReason;

  constructor(policy: string, reason: PolicyReason, cause: unknown) {
    super(`${policy}: ${reason}`, { cause });
    this.reason = reason;
  }
}

/** What a policy does about a failed attempt. */
export interface FailureMeaning {
  /** The same call may succeed later. Whether it is repeated depends on the call, too: it must be idempotent. */
  readonly retryable: boolean;
  /** It counts against the breaker: the peer itself failed. A refusal of the request says that the peer is well. */
  readonly counts: boolean;
}

/** Thrown by a function under a policy. Anything else that it throws is taken for retryable, and counts. */
export class CallFailure extends Error implements FailureMeaning {
  override readonly name: string = 'CallFailure';
  readonly retryable: boolean;
  readonly counts: boolean;
  /** The peer asked for this pause before another attempt. */
  readonly retryAfterMs: number | undefined;

  constructor(
    /** A code or reason from a closed list: it is told to operators. */
    message: string,
    meaning: FailureMeaning & { readonly retryAfterMs?: number | undefined; readonly cause?: unknown },
  ) {
    super(message, { cause: meaning.cause });
    this.retryable = meaning.retryable;
    this.counts = meaning.counts;
    this.retryAfterMs = meaning.retryAfterMs;
  }
}

/** The caller has no use for an answer any more, so the call is not retried. */
export class CallerGone extends Error {
  override readonly name = 'CallerGone';
  /** It counts against the breaker: the peer had time enough to answer. False: the call says nothing about the peer. */
  readonly counts: boolean;

  constructor({ counts, cause }: { readonly counts: boolean; readonly cause?: unknown }) {
    super('the caller is gone', { cause });
    this.counts = counts;
  }
}

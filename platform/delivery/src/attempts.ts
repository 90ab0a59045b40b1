import { setTimeout as pause } from 'node:timers/promises';
import { backoffMs, type Backoff } from './backoff.ts';
import type { DeadLetter } from './letter.ts';
import { tryAgain, type Verdict } from './verdict.ts';

/** How often something is tried before it is a dead letter. */
export interface RetryPolicy {
  /** Calls that count, at least 1. */
  readonly attempts: number;
  readonly backoff: Backoff;
}

/** How a delivery ended. */
export type Delivered =
  | { readonly kind: 'done' }
  | { readonly kind: 'dead-letter'; readonly letter: DeadLetter }
  /** Given up untouched, as whoever holds it stops or has lost it: it is delivered again elsewhere. */
  | { readonly kind: 'released' };

/** A call after which there will be another one. */
export interface Failure {
  /** 1 for the first call. */
  readonly attempt: number;
  readonly verdict: Extract<Verdict, { kind: 'try-again' | 'not-yet' }>;
  readonly pauseMs: number;
}

export interface DeliverOptions {
  readonly policy: RetryPolicy;
  /** Aborts when no further call is to be made; a pause ends at once. */
  readonly stopping: AbortSignal;
  /** Works on it; `attempt` is 1 for the first call and counts every one. `undefined`: it is no longer held. */
  readonly handle: (attempt: number) => Promise<Verdict | undefined>;
  /** Told before each pause. */
  readonly onFailed?: (failure: Failure) => void;
}

/**
 * Calls a handler until it is done, says that it is a dead letter, or has failed `attempts` times; calls that answer
 * `not-yet` are repeated without being counted. Never rejects. Calls do not overlap.
 */
export const deliver = async ({ policy, stopping, handle, onFailed }: DeliverOptions): Promise<Delivered> => {
  let failures = 0;
  for (let attempt = 1; ; attempt += 1) {
    const verdict = await verdictOf(handle, attempt);
    if (verdict === undefined) return { kind: 'released' };
    if (verdict.kind === 'done') return verdict;
    if (verdict.kind === 'dead-letter') {
      const { reason } = verdict;
      const letter = { reason, errorClass: '', message: reason, attempts: failures + 1 };
      return { kind: 'dead-letter', letter };
    }
    if (stopping.aborted) return { kind: 'released' };
    if (verdict.kind === 'try-again') failures += 1;
    if (verdict.kind === 'try-again' && failures >= policy.attempts) {
      const { name: errorClass, message } = verdict.error;
      const letter = { reason: 'attempts-exhausted', errorClass, message, attempts: failures };
      return { kind: 'dead-letter', letter };
    }
    const pauseMs = backoffMs(policy.backoff, attempt);
    onFailed?.({ attempt, verdict, pauseMs });
    try {
      await pause(pauseMs, undefined, { signal: stopping });
    } catch {
      return { kind: 'released' };
    }
  }
};

const verdictOf = async (handle: DeliverOptions['handle'], attempt: number): Promise<Verdict | undefined> => {
  try {
    return await handle(attempt);
  } catch (error) {
    return tryAgain(error instanceof Error ? error : new Error(String(error)));
  }
};

import { DelegateBackoff, handleWhen, isBrokenCircuitError, retry } from 'cockatiel';
import { remainingMs } from '../context.ts';
import type { RetryBudget } from './budget.ts';
import { CallerGone, CallFailure } from './failure.ts';
import type { PolicySettings } from './settings.ts';

/** What the retries of a call go by, and whom they tell. */
export interface RetryOptions {
  readonly settings: PolicySettings;
  /** Further attempts: none for a call that is not idempotent. */
  readonly retries: number;
  readonly budget: RetryBudget;
  readonly signal: AbortSignal | undefined;
  /** True while another attempt would be refused: nobody waits for the pause before one. */
  readonly isOpen: () => boolean;
  /** The budget is spent: another attempt would be worth it, and is not made. */
  readonly refused: () => void;
  readonly pausing: (delayMs: number, error: unknown) => void;
}

const retryAfterMs = (error: unknown): number =>
  error instanceof CallFailure ? (error.retryAfterMs ?? 0) : 0;

const isRetryable = (error: unknown): boolean =>
  !isBrokenCircuitError(error) &&
  !(error instanceof CallerGone) &&
  (!(error instanceof CallFailure) || error.retryable);

interface Failed {
  readonly result: object;
}

/**
 * The pauses: exponential with decorrelated jitter, each one to three times as long as the one before up to the largest,
 * and never shorter than the peer asked for.
 */
const backoffOf = ({ retryDelayMs, retryDelayMsMax }: PolicySettings) =>
  new DelegateBackoff<Failed, number>(({ result }, before) => {
    const grown =
      before === undefined ? retryDelayMs * (0.5 + Math.random()) : before * (1 + 2 * Math.random());
    const state = Math.min(grown, retryDelayMsMax);
    const asked = 'error' in result ? retryAfterMs(result.error) : 0;
    return { delay: Math.max(state, asked), state };
  });

/**
 * Runs `fn` again after a failure, if that is worth it, the peer does not ask for too long a pause, and the budget has a
 * retry left.
 */
export const withRetries = <T>(
  fn: (signal: AbortSignal) => Promise<T>,
  { settings, retries, budget, signal, isOpen, refused, pausing }: RetryOptions,
): Promise<T> => {
  let made = 0;
  const worthIt = (error: unknown): boolean => {
    if (made > retries || !isRetryable(error) || isOpen()) return false;
    const pauseMs = retryAfterMs(error);
    if (pauseMs > settings.retryAfterMsMax || pauseMs >= remainingMs(Number.MAX_SAFE_INTEGER)) return false;
    if (budget.withdraw()) return true;
    refused();
    return false;
  };
  const policy = retry(handleWhen(worthIt), {
    maxAttempts: retries,
    backoff: backoffOf(settings),
  });
  policy.onRetry(({ delay, ...reason }) => {
    pausing(delay, 'error' in reason ? reason.error : undefined);
  });
  return policy.execute((context) => {
    made += 1;
    return fn(context.signal);
  }, signal);
};

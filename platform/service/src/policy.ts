import {
  BrokenCircuitError,
  circuitBreaker,
  CircuitState,
  ConsecutiveBreaker,
  ExponentialBackoff,
  handleWhen,
  isBrokenCircuitError,
  isTaskCancelledError,
  noop,
  retry,
  timeout,
  TimeoutStrategy,
} from 'cockatiel';
import { requestContext } from './context.ts';

/** Why a policy ended a call without an answer. */
export type PolicyReason = 'breaker-open' | 'timeout';

/** Thrown by `Policy.execute` when the policy, not the function, ended the call. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
  readonly reason: PolicyReason;

  constructor(policy: string, reason: PolicyReason, cause: unknown) {
    super(`${policy}: ${reason}`, { cause });
    this.reason = reason;
  }
}

/** The caller has no use for an answer any more. Says nothing about the peer, so it is neither retried nor counted. */
class CallerGone extends Error {}

/** A timer set for what is left of a deadline may fire this much before it. */
const TIMER_SLACK_MS = 5;

/** True when the request being worked on has passed its deadline, or its caller has aborted. */
const isCallerGone = (signal: AbortSignal | undefined): boolean => {
  const deadlineAtMs = requestContext()?.deadlineAtMs ?? Number.POSITIVE_INFINITY;
  return signal?.aborted === true || deadlineAtMs - Date.now() <= TIMER_SLACK_MS;
};

export type BreakerState = 'closed' | 'open' | 'half-open';

export interface PolicyOptions {
  /** Named in errors and logs. */
  readonly name: string;
  /** Limit of one attempt. */
  readonly timeoutMs: number;
  /** Further attempts after a failed one, with exponential, jittered pauses. Default: none. */
  readonly retry?: {
    readonly attempts: number;
    readonly initialDelayMs: number;
    readonly maxDelayMs: number;
  };
  /**
   * Opens after so many failures in a row and lets one probe through after a pause; while that is under way, all others
   * are refused at once. Default: none.
   */
  readonly breaker?: { readonly consecutiveFailures: number; readonly halfOpenAfterMs: number };
  /** Which thrown values are worth another attempt. Default: all. */
  readonly retryable?: (error: unknown) => boolean;
}

/** Timeout inside breaker inside retry. Safe to share by concurrent calls. */
export interface Policy {
  readonly name: string;
  readonly timeoutMs: number;
  /**
   * Runs `fn`; it must respect the signal. Rejects with PolicyError, or with what the last attempt threw. An attempt
   * that ends as the caller's own time is up does not count against the peer.
   */
  execute<T>(fn: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** 'closed' for a policy without a breaker. */
  breakerState(): BreakerState;
  /** Calls `listener` on every change of the breaker's state. */
  onBreakerChange(listener: (state: BreakerState) => void): void;
}

const states: Readonly<Record<CircuitState, BreakerState>> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half-open',
  [CircuitState.Isolated]: 'open',
};

const check = (name: string, value: number): void => {
  if (!Number.isFinite(value) || value <= 0) throw new RangeError(`${name} must be above 0, not ${value}`);
};

/** Builds a policy; refuses limits that are not positive. */
export const createPolicy = (options: PolicyOptions): Policy => {
  check('timeoutMs', options.timeoutMs);
  if (options.retry !== undefined) check('retry.attempts', options.retry.attempts);
  if (options.breaker !== undefined)
    check('breaker.consecutiveFailures', options.breaker.consecutiveFailures);
  const worthRetrying = (error: unknown): boolean =>
    !isBrokenCircuitError(error) && !(error instanceof CallerGone) && (options.retryable?.(error) ?? true);
  const retries =
    options.retry === undefined
      ? noop
      : retry(handleWhen(worthRetrying), {
          maxAttempts: options.retry.attempts,
          backoff: new ExponentialBackoff({
            initialDelay: options.retry.initialDelayMs,
            maxDelay: options.retry.maxDelayMs,
          }),
        });
  const breaker =
    options.breaker === undefined
      ? undefined
      : circuitBreaker(
          // What the breaker is told to ignore would close it while it probes.
          handleWhen((error) => !(error instanceof CallerGone) || isProbing()),
          {
            halfOpenAfter: options.breaker.halfOpenAfterMs,
            breaker: new ConsecutiveBreaker(options.breaker.consecutiveFailures),
          },
        );
  const isProbing = (): boolean => breaker?.state === CircuitState.HalfOpen;
  const limit = timeout(options.timeoutMs, TimeoutStrategy.Aggressive);
  const attempt = async <T>(
    fn: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
    caller: AbortSignal | undefined,
  ): Promise<T> => {
    try {
      return await limit.execute((context) => fn(context.signal), signal);
    } catch (error) {
      if (isCallerGone(caller)) throw new CallerGone('the caller is gone', { cause: error });
      throw error;
    }
  };
  return {
    name: options.name,
    timeoutMs: options.timeoutMs,
    execute: async (fn, signal) => {
      try {
        return await retries.execute((context) => {
          if (isCallerGone(signal)) throw new CallerGone('the caller is gone');
          // cockatiel lets others wait for the probe; they are to be answered at once.
          if (isProbing()) throw new BrokenCircuitError();
          return (breaker ?? noop).execute((inner) => attempt(fn, inner.signal, signal), context.signal);
        }, signal);
      } catch (error) {
        if (isBrokenCircuitError(error)) throw new PolicyError(options.name, 'breaker-open', error);
        if (isTaskCancelledError(error) || error instanceof CallerGone)
          throw new PolicyError(options.name, 'timeout', error);
        throw error;
      }
    },
    breakerState: () => (breaker === undefined ? 'closed' : states[breaker.state]),
    onBreakerChange: (listener) => {
      breaker?.onStateChange((state) => {
        listener(states[state]);
      });
    },
  };
};

import {
  bulkhead,
  type BulkheadPolicy,
  isBrokenCircuitError,
  isBulkheadRejectedError,
  isTaskCancelledError,
  timeout,
  type TimeoutPolicy,
  TimeoutStrategy,
} from 'cockatiel';
import { trace } from '@opentelemetry/api';
import { attribute, spanEvents } from '@parley/contracts/telemetry';
import { requestContext } from '../context.ts';
import { Breaker, type BreakerChange, type BreakerState } from './breaker.ts';
import { RetryBudget } from './budget.ts';
import { CallerGone, CallFailure, PolicyError, type PolicyReason } from './failure.ts';
import { type PolicyCounts, PolicyRecord } from './record.ts';
import { type RetryOptions, withRetries } from './retries.ts';
import { checkedSettings, type PolicyDefaults, type PolicySettings } from './settings.ts';

/** A timer set for what is left of a deadline may fire this much before it. */
const TIMER_SLACK_MS = 5;

/**
 * Share of an attempt's limit after which a peer that has not answered failed, although its caller gave up first. Callers
 * that all wait for less than the limit would else neither open the breaker of a peer that hangs, nor end its half-open.
 */
const WAITED_SHARE_MIN = 0.5;

/** True when the request being worked on has passed its deadline, or its caller has aborted. */
const isCallerGone = (signal: AbortSignal | undefined): boolean => {
  const deadlineAtMs = requestContext()?.deadlineAtMs ?? Number.POSITIVE_INFINITY;
  return signal?.aborted === true || deadlineAtMs - Date.now() <= TIMER_SLACK_MS;
};

/** One call under a policy. */
export interface PolicyCall<T> {
  readonly signal?: AbortSignal | undefined;
  /** True: the call may be made more than once, so it is retried. Default false. */
  readonly idempotent?: boolean | undefined;
  /** Answers in place of the peer when the policy ends the call. Default: the PolicyError is thrown. */
  readonly fallback?: ((reason: PolicyReason) => T) | undefined;
}

/** What operators see of a policy. */
export interface PolicyStatus {
  readonly name: string;
  /** 'closed' for a policy without a breaker. */
  readonly state: BreakerState;
  /** Present while it is open: when it will let the next probe through. */
  readonly nextProbeAt?: string;
  readonly counts: PolicyCounts;
  readonly retryBudgetLeft: number;
  /** The newest last. */
  readonly lastFailures: readonly { readonly at: string; readonly reason: string }[];
  readonly settings: PolicySettings;
}

/** Bulkhead around retries around breaker around timeout. Safe to share by concurrent calls. */
export interface Policy {
  readonly name: string;
  readonly timeoutMs: number;
  /**
   * Runs `fn`; it must respect the signal, which aborts when its time is up or the caller has gone, not when the attempt has
   * ended. Rejects with PolicyError, or with what the last attempt threw. An attempt
   * that ends as the caller's own time is up counts against the peer from half of the attempt's limit on.
   */
  execute<T>(fn: (signal: AbortSignal) => Promise<T> | T, call?: PolicyCall<T>): Promise<T>;
  status(): PolicyStatus;
  /** Calls `listener` on every change of the breaker's state. */
  onBreakerChange(listener: (change: BreakerChange) => void): void;
}

const reasonOf = (error: unknown): PolicyReason | undefined => {
  if (isBrokenCircuitError(error)) return 'breaker-open';
  if (isBulkheadRejectedError(error)) return 'bulkhead-full';
  return isTaskCancelledError(error) || error instanceof CallerGone ? 'timeout' : undefined;
};

type Attempt<T> = (signal: AbortSignal) => Promise<T> | T;

class CockatielPolicy implements Policy {
  readonly name: string;
  readonly #settings: PolicySettings;
  readonly #record = new PolicyRecord();
  readonly #listeners: ((change: BreakerChange) => void)[] = [];
  readonly #budget: RetryBudget;
  readonly #limit: TimeoutPolicy;
  readonly #places: BulkheadPolicy;
  readonly #breaker: Breaker | undefined;

  constructor(name: string, settings: PolicySettings) {
    this.name = name;
    this.#settings = settings;
    this.#budget = new RetryBudget({
      share: settings.retryBudgetShare,
      reserve: settings.retryBudgetReserve,
    });
    // An attempt that has ended has nothing left to abort, and an abort costs a DOMException with its stack.
    this.#limit = timeout(settings.timeoutMs, { strategy: TimeoutStrategy.Aggressive, abortOnReturn: false });
    this.#places = bulkhead(settings.concurrentMax, settings.queueMax);
    this.#breaker =
      settings.breaker === 'none'
        ? undefined
        : new Breaker(settings, (change) => {
            this.#changed(change);
          });
  }

  get timeoutMs(): number {
    return this.#settings.timeoutMs;
  }

  async execute<T>(fn: Attempt<T>, { signal, idempotent = false, fallback }: PolicyCall<T> = {}): Promise<T> {
    const { counts } = this.#record;
    counts.calls += 1;
    this.#budget.deposit();
    const options = this.#retryOptions(signal, idempotent);
    try {
      return await this.#places.execute(
        () => withRetries((attemptSignal) => this.#once(fn, attemptSignal, signal), options),
        signal,
      );
    } catch (error) {
      const reason = reasonOf(error);
      if (reason === undefined) throw error;
      counts.refused[reason] += 1;
      if (fallback === undefined) throw new PolicyError(this.name, reason, error);
      counts.fallbacks += 1;
      return fallback(reason);
    }
  }

  status(): PolicyStatus {
    const nextProbeAtMs = this.#breaker?.nextProbeAtMs;
    const { counts, lastFailures } = this.#record;
    return {
      name: this.name,
      state: this.#breaker?.state ?? 'closed',
      ...(nextProbeAtMs === undefined ? {} : { nextProbeAt: new Date(nextProbeAtMs).toISOString() }),
      counts: structuredClone(counts),
      retryBudgetLeft: this.#budget.left,
      lastFailures: [...lastFailures],
      settings: this.#settings,
    };
  }

  onBreakerChange(listener: (change: BreakerChange) => void): void {
    this.#listeners.push(listener);
  }

  #changed(change: BreakerChange): void {
    if (change.to === 'open') this.#record.counts.opened += 1;
    trace.getActiveSpan()?.addEvent(spanEvents.breakerChange.name, {
      [attribute.policy]: this.name,
      [attribute.breakerStateBefore]: change.from,
      [attribute.breakerState]: change.to,
    });
    for (const listener of this.#listeners) listener(change);
  }

  #retryOptions(signal: AbortSignal | undefined, idempotent: boolean): RetryOptions {
    const { counts } = this.#record;
    return {
      settings: this.#settings,
      retries: idempotent ? this.#settings.retries : 0,
      budget: this.#budget,
      signal,
      isOpen: () => this.#breaker?.state === 'open',
      refused: () => {
        counts.retriesOverBudget += 1;
      },
      pausing: (delayMs, error) => {
        counts.retries += 1;
        const attributes = {
          [attribute.policy]: this.name,
          [attribute.retryDelay]: Math.round(delayMs),
          [attribute.errorType]: PolicyRecord.reasonOf(error),
        };
        trace.getActiveSpan()?.addEvent(spanEvents.retry.name, attributes);
      },
    };
  }

  async #once<T>(fn: Attempt<T>, signal: AbortSignal, caller: AbortSignal | undefined): Promise<T> {
    if (isCallerGone(caller)) throw new CallerGone({ counts: false });
    if (this.#breaker === undefined) return this.#attempt(fn, signal, caller);
    return this.#breaker.execute(() => this.#attempt(fn, signal, caller));
  }

  async #attempt<T>(fn: Attempt<T>, signal: AbortSignal, caller: AbortSignal | undefined): Promise<T> {
    this.#record.counts.attempts += 1;
    const startedAtMs = performance.now();
    try {
      return await this.#limit.execute((context) => fn(context.signal), signal);
    } catch (error) {
      const isGone = isCallerGone(caller);
      const waitedMs = performance.now() - startedAtMs;
      const isRefusal = error instanceof CallFailure && !error.counts;
      const counts = !isRefusal && waitedMs >= WAITED_SHARE_MIN * this.#settings.timeoutMs;
      if (!isGone || counts) this.#record.failed(error);
      throw isGone ? new CallerGone({ counts, cause: error }) : error;
    }
  }
}

/** Builds a policy; refuses settings out of range. `name` is told in errors, logs and operations. */
export const createPolicy = ({ name, ...defaults }: PolicyDefaults & { readonly name: string }): Policy =>
  new CockatielPolicy(name, checkedSettings(defaults));

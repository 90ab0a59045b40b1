import {
  BrokenCircuitError,
  CircuitState,
  ConsecutiveBreaker,
  type IBreaker,
  SamplingBreaker,
} from 'cockatiel';
import { CallerGone, CallFailure } from './failure.ts';
import type { PolicySettings } from './settings.ts';

export type BreakerState = 'closed' | 'open' | 'half-open';

/** One change of a breaker. */
export interface BreakerChange {
  readonly from: BreakerState;
  readonly to: BreakerState;
}

/** One period of a breaker; what a call says counts only in the period in which it began. */
type Period =
  | { readonly state: 'closed' }
  | { readonly state: 'open'; readonly endsAtMs: number }
  | { readonly state: 'half-open'; underWay: number; succeeded: number };

/** What the end of a call says of the peer. */
type Says = 'well' | 'failed' | 'nothing';

const saysOf = (error: unknown): Says => {
  if (error instanceof CallerGone) return error.counts ? 'failed' : 'nothing';
  return error instanceof CallFailure && !error.counts ? 'well' : 'failed';
};

const openerOf = (settings: PolicySettings): IBreaker =>
  settings.breaker === 'sampling'
    ? new SamplingBreaker({
        threshold: settings.breakerShare,
        duration: settings.breakerSampleMs,
        minimumRps: settings.breakerPerSecondMin,
      })
    : new ConsecutiveBreaker(settings.breakerFailures);

/**
 * Opens when the peer fails as often as the settings say, refuses for a while, and lets a number of probes through then.
 * While they are out, everyone else is refused at once. A call that began before a change of state says nothing after it,
 * and a probe whose caller gave up early makes place for another. cockatiel decides when to open; its own state machine knows
 * neither, and makes callers wait for the probes.
 */
export class Breaker {
  readonly #opener: IBreaker;
  readonly #settings: PolicySettings;
  readonly #changed: (change: BreakerChange) => void;
  #period: Period = { state: 'closed' };

  constructor(settings: PolicySettings, changed: (change: BreakerChange) => void) {
    this.#settings = settings;
    this.#changed = changed;
    this.#opener = openerOf(settings);
  }

  get state(): BreakerState {
    return this.#period.state;
  }

  /** Milliseconds since the epoch from which on a probe is let through; undefined unless it is open. */
  get nextProbeAtMs(): number | undefined {
    if (this.#period.state !== 'open') return undefined;
    return Date.now() + this.#period.endsAtMs - performance.now();
  }

  /** Runs `fn`, or rejects with BrokenCircuitError. */
  async execute<T>(fn: () => Promise<T>): Promise<T> {
    const period = this.#enter();
    let says: Says = 'well';
    try {
      return await fn();
    } catch (error) {
      says = saysOf(error);
      throw error;
    } finally {
      if (this.#period === period) this.#left(period, says);
    }
  }

  /** @throws BrokenCircuitError */
  #enter(): Period {
    const { breakerProbes } = this.#settings;
    if (this.#period.state === 'open' && performance.now() >= this.#period.endsAtMs)
      this.#become({ state: 'half-open', underWay: 0, succeeded: 0 });
    const period = this.#period;
    if (period.state === 'closed') return period;
    if (period.state === 'open' || period.underWay + period.succeeded >= breakerProbes)
      throw new BrokenCircuitError();
    period.underWay += 1;
    return period;
  }

  #left(period: Period, says: Says): void {
    if (period.state === 'half-open') period.underWay -= 1;
    if (says === 'failed') {
      const state = period.state === 'half-open' ? CircuitState.HalfOpen : CircuitState.Closed;
      if (this.#opener.failure(state) || period.state === 'half-open') this.#open();
    } else if (says === 'well') {
      if (period.state !== 'half-open') this.#opener.success(CircuitState.Closed);
      else if (++period.succeeded >= this.#settings.breakerProbes) this.#close();
    }
  }

  #open(): void {
    this.#become({ state: 'open', endsAtMs: performance.now() + this.#settings.breakerWaitMs });
  }

  #close(): void {
    this.#opener.success(CircuitState.HalfOpen); // forgets what was before it opened
    this.#become({ state: 'closed' });
  }

  #become(period: Period): void {
    const from = this.#period.state;
    this.#period = period;
    this.#changed({ from, to: period.state });
  }
}

import {
  BrokenCircuitError,
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  handleWhen,
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

const states: Readonly<Record<CircuitState, BreakerState>> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half-open',
  [CircuitState.Isolated]: 'open',
};

/** An answer that is a failure of the call and none of the peer: the breaker is to see that the peer is there. */
class Answered {
  readonly failure: CallFailure;

  constructor(failure: CallFailure) {
    this.failure = failure;
  }
}

/**
 * Opens when the peer fails as often as the settings say, refuses for a while, and lets a number of probes through then.
 * While they are out, everyone else is refused at once.
 */
export class Breaker {
  readonly #breaker: CircuitBreakerPolicy;
  readonly #settings: PolicySettings;
  #state: BreakerState = 'closed';
  #probes = 0;
  #nextProbeAtMs: number | undefined;

  constructor(settings: PolicySettings, changed: (change: BreakerChange) => void) {
    this.#settings = settings;
    this.#breaker = circuitBreaker(
      // A half-open breaker counts an ignored error as a success, so the caller's own end is not ignored while a probe is out.
      handleWhen((error) => !(error instanceof CallerGone) || this.#isProbing()),
      {
        halfOpenAfter: settings.breakerWaitMs,
        halfOpenSampling: { calls: settings.breakerProbes, threshold: 0 },
        breaker:
          settings.breaker === 'sampling'
            ? new SamplingBreaker({
                threshold: settings.breakerShare,
                duration: settings.breakerSampleMs,
                minimumRps: settings.breakerPerSecondMin,
              })
            : new ConsecutiveBreaker(settings.breakerFailures),
      },
    );
    this.#breaker.onStateChange((next) => {
      const change = { from: this.#state, to: states[next] };
      this.#state = change.to;
      this.#probes = 0;
      this.#nextProbeAtMs = change.to === 'open' ? Date.now() + settings.breakerWaitMs : undefined;
      changed(change);
    });
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Milliseconds since the epoch from which on a probe is let through; undefined unless it is open. */
  get nextProbeAtMs(): number | undefined {
    return this.#nextProbeAtMs;
  }

  /** Runs `fn`, or rejects with BrokenCircuitError. */
  async execute<T>(fn: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    // cockatiel lets others wait for the probes; they are to be answered at once.
    if (this.#isProbing() && this.#probes >= this.#settings.breakerProbes) throw new BrokenCircuitError();
    const outcome = await this.#breaker.execute(async (inner): Promise<T | Answered> => {
      if (this.#isProbing()) this.#probes += 1; // before the first await, so that no other call comes between
      try {
        return await fn(inner.signal);
      } catch (error) {
        if (error instanceof CallFailure && !error.counts) return new Answered(error);
        throw error;
      }
    }, signal);
    if (outcome instanceof Answered) throw outcome.failure;
    return outcome;
  }

  #isProbing(): boolean {
    return this.#breaker.state === CircuitState.HalfOpen;
  }
}

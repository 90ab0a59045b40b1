import { type Attributes, type Context, type Link, type SpanKind, TraceFlags } from '@opentelemetry/api';
import { type Sampler, SamplingDecision, type SamplingResult } from '@opentelemetry/sdk-trace';

const SECOND_MS = 1_000;

/** How many traces a process begins. */
export interface TraceBudget {
  /** For as long as requests come, on average. */
  readonly perSecond: number;
  /** At once, behind a time in which fewer were begun. */
  readonly burst: number;
}

/**
 * Begins traces as a token bucket allows. At ordinary rates, and in a burst, every trace is there; under a load that lasts
 * tracing costs no more, where it would take more of the machine than what is traced. For the root of a
 * `ParentBasedSampler`.
 */
export class RateLimitingSampler implements Sampler {
  readonly #budget: TraceBudget;
  readonly #now: () => number;
  #tokens: number;
  #filledAtMs: number;

  /** @param now milliseconds of a clock that never goes back */
  constructor(budget: TraceBudget, now: () => number = () => performance.now()) {
    this.#budget = budget;
    this.#now = now;
    this.#tokens = budget.burst;
    this.#filledAtMs = now();
  }

  /** A root that links to a sampled span goes on with what was decided there, and does not count. */
  shouldSample(
    _context: Context,
    _traceId: string,
    _name: string,
    _kind: SpanKind,
    _attributes: Attributes,
    links: readonly Link[],
  ): SamplingResult {
    if (links.some(({ context }) => (context.traceFlags & TraceFlags.SAMPLED) !== 0))
      return { decision: SamplingDecision.RECORD_AND_SAMPLED };
    const { perSecond, burst } = this.#budget;
    const nowMs = this.#now();
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#filledAtMs) / SECOND_MS) * perSecond);
    this.#filledAtMs = nowMs;
    if (this.#tokens < 1) return { decision: SamplingDecision.NOT_RECORD };
    this.#tokens -= 1;
    return { decision: SamplingDecision.RECORD_AND_SAMPLED };
  }

  toString(): string {
    return `RateLimitingSampler{${this.#budget.perSecond}/s,${this.#budget.burst}}`;
  }
}

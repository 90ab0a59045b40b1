import { type Attributes, type Context, type Link, type SpanKind, TraceFlags } from '@opentelemetry/api';
import { type Sampler, SamplingDecision, type SamplingResult } from '@opentelemetry/sdk-trace';

const SECOND_MS = 1_000;

/**
 * Begins at most so many traces in a second. Below that every trace is there; above it tracing costs no more, where it
 * would take more of the machine than what is traced. For the root of a `ParentBasedSampler`.
 */
export class BoundedSampler implements Sampler {
  readonly #perSecondMax: number;
  readonly #now: () => number;
  #second = 0;
  #begun = 0;

  /** @param now milliseconds of a clock that never goes back */
  constructor(perSecondMax: number, now: () => number = () => performance.now()) {
    this.#perSecondMax = perSecondMax;
    this.#now = now;
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
    const second = Math.floor(this.#now() / SECOND_MS);
    if (second !== this.#second) this.#begun = 0;
    this.#second = second;
    if (this.#begun >= this.#perSecondMax) return { decision: SamplingDecision.NOT_RECORD };
    this.#begun += 1;
    return { decision: SamplingDecision.RECORD_AND_SAMPLED };
  }

  toString(): string {
    return `BoundedSampler{${String(this.#perSecondMax)}/s}`;
  }
}

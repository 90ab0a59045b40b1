import { SamplingDecision } from '@opentelemetry/sdk-trace';
import { expect, it } from 'vitest';
import { BoundedSampler } from './bounded-sampler.ts';

it('begins every trace up to the bound, none beyond it, and all again in the next second', () => {
  let nowMs = 5_000;
  const sampler = new BoundedSampler(3, () => nowMs);
  const begun = (count: number): number =>
    Array.from({ length: count }, () => sampler.shouldSample().decision).filter(
      (decision) => decision === SamplingDecision.RECORD_AND_SAMPLED,
    ).length;
  expect(begun(2)).toBe(2);
  nowMs += 999;
  expect(begun(5)).toBe(1);
  nowMs += 1;
  expect(begun(5)).toBe(3);
});

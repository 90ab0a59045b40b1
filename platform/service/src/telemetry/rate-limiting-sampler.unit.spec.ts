import { type Link, ROOT_CONTEXT, SpanKind, TraceFlags } from '@opentelemetry/api';
import { SamplingDecision } from '@opentelemetry/sdk-trace';
import { expect, it } from 'vitest';
import { RateLimitingSampler } from './rate-limiting-sampler.ts';

const traceId = '1'.repeat(32);
const linkTo = (traceFlags: TraceFlags): Link => ({
  context: { traceId, spanId: '2'.repeat(16), traceFlags },
});

const setUp = () => {
  const clock = { nowMs: 5_000 };
  const sampler = new RateLimitingSampler({ perSecond: 2, burst: 3 }, () => clock.nowMs);
  const begun = (count: number, ...links: Link[]): number =>
    Array.from(
      { length: count },
      () => sampler.shouldSample(ROOT_CONTEXT, traceId, 'GET', SpanKind.SERVER, {}, links).decision,
    ).filter((decision) => decision === SamplingDecision.RECORD_AND_SAMPLED).length;
  return { clock, begun };
};

it('begins every trace of a burst, then as many as a load that lasts is given, and a burst again behind a quiet time', () => {
  const { clock, begun } = setUp();
  expect(begun(2)).toBe(2);
  expect(begun(5)).toBe(1);
  clock.nowMs += 499;
  expect(begun(5)).toBe(0);
  clock.nowMs += 1;
  expect(begun(5)).toBe(1);
  for (let second = 0; second < 10; second++) {
    clock.nowMs += 1_000;
    expect(begun(5)).toBe(2);
  }
  clock.nowMs += 60_000;
  expect(begun(5)).toBe(3);
});

it('goes on with a trace that it is linked to, whatever the rate, and does not count it', () => {
  const { begun } = setUp();
  expect(begun(10, linkTo(TraceFlags.SAMPLED))).toBe(10);
  expect(begun(5, linkTo(TraceFlags.NONE))).toBe(3);
  expect(begun(5, linkTo(TraceFlags.SAMPLED))).toBe(5);
});

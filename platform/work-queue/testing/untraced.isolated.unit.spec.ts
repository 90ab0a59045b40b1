import { trace, TraceFlags } from '@opentelemetry/api';
import { done, inConsumerSpan } from '@parley/delivery';
import { beforeAll, expect, it } from 'vitest';
import { captureSpans } from './spans.ts';

let spans: ReturnType<typeof captureSpans>;
beforeAll(() => {
  spans = captureSpans();
});

it.each([
  ['child', '00', 0],
  ['link', '00', 0],
  ['child', '01', 1],
  ['link', '01', 1],
] as const)(
  'a consumer of a hop as %s, of a publisher with flags %s, makes %i spans',
  async (hops, flags, count) => {
    spans.reset();
    const active: (number | undefined)[] = [];
    await inConsumerSpan(
      {
        tracer: trace.getTracer('untraced'),
        name: 'process untraced',
        attributes: {},
        carrier: { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-${flags}` },
        hops,
      },
      () => {
        active.push(trace.getActiveSpan()?.spanContext().traceFlags);
        return Promise.resolve(done);
      },
    );
    expect(active).toEqual([count === 0 ? TraceFlags.NONE : TraceFlags.SAMPLED]);
    expect(spans.named('process untraced')).toHaveLength(count);
  },
);

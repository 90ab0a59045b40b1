import { context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { currentContext, runInContext } from './context.ts';

describe('context', () => {
  it('follows awaits, continues a remote trace and replaces a malformed correlation id', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    await runInContext(
      { correlationId: 'c-1', traceparent: `00-${traceId}-b7ad6b7169203331-01` },
      async () => {
        await Promise.resolve();
        expect(currentContext().correlationId).toBe('c-1');
        expect(trace.getSpanContext(context.active())?.traceId).toBe(traceId);
      },
    );
    runInContext({ correlationId: 'a\nb' }, () => {
      expect(currentContext().correlationId).toMatch(/^[0-9a-f-]{36}$/);
    });
  });
});

it('propagates a W3C trace context', () => {
  const extracted = propagation.extract(ROOT_CONTEXT, {
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  });
  expect(trace.getSpanContext(extracted)?.spanId).toBe('b7ad6b7169203331');
});

const traceId = '0af7651916cd43dd8448eb211c80319c';
it.each([
  ['continues version 01 with more fields', `01-${traceId}-b7ad6b7169203331-01-more`, traceId],
  ['continues version cc', `cc-${traceId}-b7ad6b7169203331-01`, traceId],
  ['begins a new trace for version ff', `ff-${traceId}-b7ad6b7169203331-01`, undefined],
  ['begins a new trace for version 00 with more fields', `00-${traceId}-b7ad6b7169203331-01-more`, undefined],
])('%s', (_what, traceparent, expected) => {
  runInContext({ traceparent }, () => {
    expect(trace.getSpanContext(context.active())?.traceId).toBe(expected);
  });
});

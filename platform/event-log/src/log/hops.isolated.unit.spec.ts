import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { done } from '@parley/delivery';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { countedTopic, counterOf } from '../../testing/counter.ts';
import { run } from '../../testing/harness.ts';
import { openMemoryLog } from '../memory/open.ts';

const exporter = new InMemorySpanExporter();
beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(
    new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
  );
});
afterAll(() => {
  context.disable();
  propagation.disable();
  trace.disable();
});

const spansNamed = (name: string) => exporter.getFinishedSpans().filter((span) => span.name === name);

it.each(['child', 'link'] as const)(
  'the span of a reaction hangs on that of the append as a %s',
  async (asyncHops) => {
    const topic = countedTopic(`hops.${asyncHops}`);
    const log = openMemoryLog({ asyncHops });
    const counters = log.aggregate(counterOf(topic));
    const active: (string | undefined)[] = [];
    log.react({
      group: 'watchers',
      topic,
      handle: () => {
        active.push(trace.getActiveSpan()?.spanContext().spanId);
        return Promise.resolve(done);
      },
    });
    await log.start();
    await run(counters, 's', 1);
    await expect.poll(() => spansNamed(`process ${topic.name}`)).toHaveLength(1);
    const origin = spansNamed(`publish ${topic.name}`)[0]?.spanContext();
    const [reacted] = spansNamed(`process ${topic.name}`);
    expect(origin?.traceId).toBeTypeOf('string');
    expect(active).toEqual([reacted?.spanContext().spanId]);
    const isChild = asyncHops === 'child';
    expect(reacted?.parentSpanContext?.spanId).toBe(isChild ? origin?.spanId : undefined);
    expect(reacted?.links.map((link) => link.context.spanId)).toEqual(isChild ? [] : [origin?.spanId]);
    expect(reacted?.spanContext().traceId === origin?.traceId).toBe(isChild);
    await log.close();
  },
);

import { serviceNames, type ServiceName } from '@parley/contracts/endpoints';
import {
  attribute,
  metricDefinitions,
  prometheusLabel,
  prometheusName,
  spanDefinitions,
  type MetricDefinition,
} from '@parley/contracts/telemetry';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Customer } from '../client.ts';
import { queryLogs } from '../logs.ts';
import { readStack } from '../stack.ts';
import { Span } from '../traces.ts';
import { waitFor } from '../wait.ts';

/** Which signals each service must have, as its part in an order is. A service x signal matrix. */
const m = metricDefinitions;
const runtime = [m.eventLoopUtilization, m.heapUsed, m.cpuTime, m.projectionLag, m.logRecords];
const matrix: Readonly<Record<ServiceName, readonly MetricDefinition[]>> = {
  order: [
    ...runtime,
    m.httpServerDuration,
    m.httpClientDuration,
    m.rpcClientDuration,
    m.publishDuration,
    m.processDuration,
    m.consumerLag,
    m.breakerState,
    m.policyCalls,
    m.orderTransitions,
    m.timeToShipped,
  ],
  product: [...runtime, m.rpcServerDuration, m.publishDuration],
  payment: [...runtime, m.httpServerDuration, m.publishDuration],
  notification: [...runtime, m.publishDuration, m.processDuration, m.consumerLag],
  shipping: [...runtime, m.publishDuration, m.processDuration],
};
const seriesMax = 1_000;

const stack = readStack();
const order = async (): Promise<void> => {
  const customer = await Customer.of(stack, 'signals');
  const { orderId } = await customer.ordered({ productId: 'wool-door-stop', quantity: 1 });
  await customer.status(orderId, 'SHIPPED', 20_000);
};

const scrape = async (service: ServiceName): Promise<readonly string[]> => {
  const response = await fetch(`${stack.endpoints[service].ops}/metrics`, {
    signal: AbortSignal.timeout(5_000),
  });
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  return (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
};

describe.each(serviceNames)('%s, after an order', (service) => {
  it('has its metrics, by the names and labels of the contract and no others, and few series', async () => {
    await order();
    const series = await scrape(service);
    expect(series.length).toBeLessThan(seriesMax);
    const known = new Map(
      Object.values(m).map((metric: MetricDefinition) => [prometheusName(metric), metric]),
    );
    const seen = new Set<string>();
    for (const line of series) {
      const [, sample = '', labels = ''] = /^([a-zA-Z0-9_]+)(?:\{(.*)\})? /.exec(line) ?? [];
      if (sample === 'target_info') continue;
      const name = known.has(sample) ? sample : sample.replace(/_(bucket|sum|count)$/, '');
      const allowed = known.get(name)?.attributes.map(prometheusLabel);
      expect(allowed, line).toBeDefined();
      for (const [, label = ''] of labels.matchAll(/([a-z_]+)="/g))
        expect(label === 'le' || allowed?.includes(label), line).toBe(true);
      seen.add(name);
    }
    for (const metric of matrix[service]) expect(seen).toContain(prometheusName(metric));
  });

  it('has its spans, with the attributes of the contract and no others', async () => {
    const { api } = stack.endpoints.traces;
    const url = `${api}/traces?serviceName=${service}&limit=30&lookback=900000`;
    const spans = await waitFor(
      `spans of ${service}`,
      async () => {
        const traces = z.array(z.array(Span)).parse(await (await fetch(url)).json());
        const own = traces.flat().filter(({ localEndpoint }) => localEndpoint.serviceName === service);
        return own.length > 0 ? own : undefined;
      },
      { deadlineMs: 10_000 },
    );
    // `error` and the status are Zipkin's form of OpenTelemetry's span status; `link.` of its links.
    const known = new Set<string>(['error', 'otel.status_code']);
    for (const { attributes } of Object.values(spanDefinitions))
      for (const name of attributes) known.add(name);
    const tags = new Set(spans.flatMap((span) => Object.keys(span.tags)));
    expect([...tags].filter((tag) => !known.has(tag) && !tag.startsWith('link.'))).toEqual([]);
  });

  it('has its lines in the log engine, with its instance and a level', async () => {
    const lines = await waitFor(
      `lines of ${service}`,
      async () => {
        const found = await queryLogs(stack, `_time:15m "${attribute.serviceName}":="${service}"`);
        return found.length > 0 ? found : undefined;
      },
      { deadlineMs: 20_000 },
    );
    for (const line of lines) {
      expect(line[attribute.serviceInstanceId]).toMatch(new RegExp(`^${service}-`));
      expect(line.severity_text).toMatch(/^(trace|debug|info|warn|error|fatal)$/);
    }
  });
});

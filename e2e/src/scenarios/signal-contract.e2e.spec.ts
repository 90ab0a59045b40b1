import { randomBytes } from 'node:crypto';
import { serviceNames } from '@parley/contracts/endpoints';
import { httpHeaders } from '@parley/contracts/headers';
import {
  metricDefinitions,
  prometheusLabel,
  prometheusName,
  spanDefinitions,
} from '@parley/contracts/telemetry';
import { expect, it } from 'vitest';
import { Customer } from '../client.ts';
import { readStack } from '../stack.ts';
import { readTrace, type Span } from '../traces.ts';
import { waitFor } from '../wait.ts';

const stack = readStack();
const productId = 'wool-door-stop';
const shippedDeadlineMs = 120_000;
const exportedDeadlineMs = 120_000;
/** What the exporter to Zipkin says of a span besides its attributes. */
const ofZipkin = /^(error|otel\.status_code|link\.\d+)$/;

/** Names that a definition's makes (`publish {topic}`); Zipkin keeps them in lower case. */
const namesOf = (template: string): RegExp =>
  new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^ ]+')}$`, 'i');

const isKnownSpan = ({ name, kind, tags }: Span): boolean => {
  const names = Object.keys(tags).filter((tag) => !ofZipkin.test(tag));
  return Object.values(spanDefinitions).some((span) => {
    const attributes: readonly string[] = span.attributes;
    return (
      span.kind === kind && namesOf(span.name).test(name) && names.every((tag) => attributes.includes(tag))
    );
  });
};

/** Sample, and the names of its labels. */
const seriesIn = (text: string): { readonly sample: string; readonly labels: readonly string[] }[] =>
  text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('target_info'))
    .map((line) => {
      const [, sample = line, labels = ''] = /^([a-z0-9_]+)(?:\{(.*)\})? /.exec(line) ?? [];
      return { sample, labels: [...labels.matchAll(/(\w+)="/g)].map(([, label = '']) => label) };
    });

const knownLabels = new Map(
  Object.values(metricDefinitions).map((metric) => [
    prometheusName(metric),
    new Set(['le', ...metric.attributes.map(prometheusLabel)]),
  ]),
);

it('every span and every series of the five services, while an order is shipped, is one of the contract', async () => {
  const customer = await Customer.of(stack, 'contract');
  const traceId = randomBytes(16).toString('hex');
  const headers = { [httpHeaders.traceparent]: `00-${traceId}-${randomBytes(8).toString('hex')}-01` };
  const { orderId } = await customer.ordered({ productId, quantity: 1, headers });
  await customer.status(orderId, 'SHIPPED', shippedDeadlineMs);

  const services: readonly string[] = serviceNames;
  const spans = await waitFor(
    'spans of all services',
    async () => {
      const all = (await readTrace(stack, traceId)) ?? [];
      const ours = all.filter(({ localEndpoint }) => services.includes(localEndpoint.serviceName));
      const seen = new Set(ours.map(({ localEndpoint }) => localEndpoint.serviceName));
      return seen.size === services.length ? ours : undefined;
    },
    { deadlineMs: exportedDeadlineMs },
  );
  expect(spans.filter((span) => !isKnownSpan(span))).toEqual([]);

  const strangers: string[] = [];
  for (const { id, host, ports } of stack.endpoints.instances) {
    const response = await fetch(`http://${host}:${ports.ops}/metrics`, {
      signal: AbortSignal.timeout(60_000),
    });
    const series = seriesIn(await response.text());
    expect(series.length, id).toBeGreaterThan(10);
    for (const { sample, labels } of series) {
      const known = knownLabels.get(sample) ?? knownLabels.get(sample.replace(/_(bucket|sum|count)$/, ''));
      if (known === undefined || labels.some((label) => !known.has(label)))
        strangers.push(`${id}: ${sample} ${labels.join(' ')}`);
    }
  }
  expect(strangers).toEqual([]);
});

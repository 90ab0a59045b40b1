import { serviceNames } from '@parley/contracts/endpoints';
import { OrderResource } from '@parley/contracts/rest';
import { metricDefinitions, prometheusName } from '@parley/contracts/telemetry';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ask, Customer } from '../client.ts';
import { runCommand } from '../command.ts';
import { evidence } from '../ledger/evidence.ts';
import { prometheusOf, queryByService, queryNow } from '../prometheus.ts';
import { readStack } from '../stack.ts';
import { waitFor } from '../wait.ts';

const stack = readStack();
const productId = 'wool-door-stop';
/** Two scrapes and an evaluation, on a busy machine. */
const scrapedDeadlineMs = 30_000;
const shippedDeadlineMs = 20_000;
const seriesPerInstanceMax = 2000;

const { httpServerDuration, rpcServerDuration, processDuration } = metricDefinitions;
/** What is asked of a service, by whatever protocol. */
const edges = [httpServerDuration, rpcServerDuration, processDuration].map(prometheusName);
const sumOverEdges = (expression: (edge: string) => string): string =>
  `sum by (service_name) (${edges.map(expression).join(' or ')})`;

const requests = sumOverEdges((edge) => `${edge}_count`);
const errors = sumOverEdges((edge) => `${edge}_count{error_type!=""}`);
const errorRate = `((${errors}) or 0 * (${requests})) / (${requests})`;
const seconds = `(${sumOverEdges((edge) => `${edge}_sum`)}) / (${requests})`;

const Drilled = z.object({
  alert: z.object({ labels: z.record(z.string(), z.string()), summary: z.string() }),
  detectedAfterMs: z.number().positive(),
});

describe('metrics', () => {
  it('of all services are in one place, with request count, latency and error rate of each (FR-011, US5.3)', async (context) => {
    const before = await queryByService(stack, requests);
    const customer = await Customer.of(stack, 'metrics');
    const answer = await customer.order({ productId, quantity: 1 });
    const { orderId } = OrderResource.parse(answer.body);
    await customer.status(orderId, 'SHIPPED', shippedDeadlineMs);

    // One order asks each of the five for something.
    const counts = await waitFor(
      'a scrape of all services after the order',
      async () => {
        const now = await queryByService(stack, requests);
        const grew = (name: string): boolean => (now.get(name) ?? 0) > (before.get(name) ?? 0);
        return serviceNames.every(grew) ? now : undefined;
      },
      { deadlineMs: scrapedDeadlineMs, intervalMs: 500 },
    );
    const [latencies, rates] = await Promise.all([
      queryByService(stack, seconds),
      queryByService(stack, errorRate),
    ]);
    const breakdown = serviceNames.map((service) => ({
      service,
      requests: counts.get(service),
      latencySecondsMean: latencies.get(service),
      errorRate: rates.get(service),
    }));
    for (const { latencySecondsMean, errorRate: rate } of breakdown) {
      expect(latencySecondsMean).toBeGreaterThan(0);
      expect(rate).toBeGreaterThanOrEqual(0);
      expect(rate).toBeLessThan(1);
    }
    const page = await ask(`${prometheusOf(stack)}/graph`);
    expect(page.status).toBe(200);
    evidence(context, ['FR-011', 'US5.3'], { orderId, query: requests, breakdown });
  });

  it('come from every instance and every engine that has some, and their series are bounded', async () => {
    const up = await queryNow(stack, 'up == 1');
    const instances = up.filter(({ labels }) => labels.job === 'services');
    expect(instances.map(({ labels }) => labels.instance).toSorted()).toEqual(
      stack.endpoints.instances.map(({ id }) => id).toSorted(),
    );
    const engines = up.filter(({ labels }) => labels.job === 'engines').map(({ labels }) => labels.engine);
    expect(engines).toEqual(expect.arrayContaining(['envoy', 'prometheus', 'rabbitmq', 'victoria-logs']));
    const [most] = await queryNow(stack, 'max(scrape_samples_scraped{job="services"})');
    expect(most?.value).toBeGreaterThan(10);
    expect(most?.value).toBeLessThan(seriesPerInstanceMax);
  });

  it('of a log engine that hangs raise the alert that names it', { timeout: 150_000 }, async () => {
    const drill = await runCommand(stack, ['npm', 'run', '-s', 'drill', '--', 'log-engine-away', '--json']);
    expect(drill.exitCode, drill.stderr).toBe(0);
    const { alert, detectedAfterMs } = Drilled.parse(JSON.parse(drill.stdout));
    expect(alert.labels).toMatchObject({ alertname: 'LogEngineAway', engine: 'victoria-logs' });
    expect(detectedAfterMs).toBeLessThan(60_000);
  });
});

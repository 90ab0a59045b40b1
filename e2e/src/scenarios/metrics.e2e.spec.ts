import { randomUUID } from 'node:crypto';
import { serviceNames } from '@parley/contracts/endpoints';
import { OrderResource } from '@parley/contracts/rest';
import { metricDefinitions, prometheusName } from '@parley/contracts/telemetry';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ask, Customer } from '../client.ts';
import { runCommand } from '../command.ts';
import { ExtraNotification } from '../extra-instance.ts';
import { evidence } from '../ledger/evidence.ts';
import { prometheusOf, queryByService, queryNow } from '../prometheus.ts';
import { readStack } from '../stack.ts';
import { waitFor } from '../wait.ts';
import { untilWell } from '../well.ts';

const stack = readStack();
const productId = 'wool-door-stop';
/** Two scrapes and an evaluation, on a busy machine. */
const scrapedDeadlineMs = 120_000;
const shippedDeadlineMs = 120_000;
/** An alert of something that was away ends some scrapes later. */
const calmDeadlineMs = 120_000;
afterAll(() => untilWell(stack));
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

type Metric = (typeof metricDefinitions)[keyof typeof metricDefinitions];
const seriesOf = (metric: Metric, labels = ''): string =>
  `${prometheusName(metric)}${metric.kind === 'histogram' ? '_count' : ''}{${labels}}`;
const m = metricDefinitions;
const ofPayment = 'service_name="payment", http_route="/api/v1/payments"';
/** What a stack promises to measure, each with an expression that is above 0 after an order of which one payment failed. */
const promised: readonly (readonly [string, string])[] = [
  ['rate of a route', seriesOf(m.httpServerDuration, 'http_route="/api/v1/orders"')],
  ['errors of a route', seriesOf(m.httpServerDuration, `${ofPayment}, error_type="503"`)],
  ['duration of a route', `${prometheusName(m.httpServerDuration)}_sum{${ofPayment}}`],
  ['calls of a route at a peer', seriesOf(m.httpClientDuration, 'peer_service="payment"')],
  ['a gRPC method', seriesOf(m.rpcServerDuration, 'service_name="product", rpc_method=~".*/ReserveStock"')],
  ['a gRPC method of a peer', seriesOf(m.rpcClientDuration, 'peer_service="product"')],
  [
    'a consumer',
    seriesOf(m.processDuration, 'messaging_consumer_group_name="parley.notification.on-payment"'),
  ],
  ['a producer', seriesOf(m.publishDuration, 'messaging_destination_name="parley.payment.events"')],
  ['sending to a queue', seriesOf(m.publishDuration, 'messaging_destination_name="shipping.requests"')],
  ['working on a queue', seriesOf(m.processDuration, 'messaging_destination_name="shipping.requests"')],
  ['records of a topic', seriesOf(m.logRecords, 'parley_outcome="accepted"')],
  ['orders by status', seriesOf(m.orderTransitions, 'parley_order_status="PAID"')],
  ['time to SHIPPED', seriesOf(m.timeToShipped)],
  ['retries', seriesOf(m.policyRetries, 'service_name="order", parley_policy="payment"')],
  ['a breaker', seriesOf(m.breakerState, 'service_name="order", parley_policy="payment"')],
  [
    'changes of a breaker',
    `1 + ${seriesOf(m.breakerChanges, 'service_name="order", parley_policy="payment"')}`,
  ],
  ['calls through a policy', seriesOf(m.policyCalls, 'parley_policy="payment", parley_outcome="ended"')],
  ['calls beyond a limit', `1 + ${seriesOf(m.policyCalls, 'parley_outcome="bulkhead-full"')}`],
  ['lag of a consumer', `1 + ${seriesOf(m.consumerLag)}`],
  ['lag of a projection', `1 + ${seriesOf(m.projectionLag)}`],
  ['open dead letters', `1 + ${seriesOf(m.deadLettersOpen)}`],
  ['snapshots', `1 + ${seriesOf(m.snapshots)}`],
  ['unfinished orders', `1 + ${seriesOf(m.ordersUnfinished)}`],
  ['faults of topics', `1 + ${seriesOf(m.topicFaults)}`],
  ['age of the list of instances', `1 + ${seriesOf(m.discoveryAge)}`],
  ['requests through Envoy', 'envoy_cluster_upstream_rq_total'],
  ['connections of RabbitMQ', 'rabbitmq_connections'],
  ['lines taken by VictoriaLogs', 'vl_rows_ingested_total'],
];
/** Of the process: every service has them. */
const ofEveryService = [m.eventLoopUtilization, m.eventLoopDelayMax, m.heapUsed, m.memoryUsage, m.cpuTime];

const Drilled = z.object({
  alert: z.object({ labels: z.record(z.string(), z.string()), summary: z.string() }),
  detectedAfterMs: z.number().positive(),
});

/** Runs a drill as a person does, once its alert is over that something before has raised; it takes its fault out again. */
const drill = async (fault: string, alert: string): Promise<z.infer<typeof Drilled>> => {
  const isOver = async (): Promise<true | undefined> =>
    (await queryNow(stack, alert)).length === 0 ? true : undefined;
  await waitFor(`${alert} to be over`, isOver, { deadlineMs: calmDeadlineMs, intervalMs: 500 });
  const result = await runCommand(stack, ['npm', 'run', '-s', 'drill', '--', fault, '--json']);
  expect(result.exitCode, result.stderr).toBe(0);
  return Drilled.parse(JSON.parse(result.stdout));
};

/**
 * Runs drills side by side, of which none disturbs another, on a stack that is well; each by the labels that its alert
 * must have.
 */
const drillTogether = async (
  labelsByFault: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Promise<void> => {
  await untilWell(stack);
  const drills = Object.entries(labelsByFault).map(async ([fault, labels]) => {
    const matchers = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
    const { alert } = await drill(fault, `ALERTS{${matchers.join(', ')}}`);
    expect(alert.labels).toMatchObject(labels);
  });
  await Promise.allSettled(drills); // all take their faults out before the first that failed is told
  await Promise.all(drills);
};

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

  it('of every kind that is promised have series on the running stack', async () => {
    const { host, ports } = stack.endpoints.instances.find(({ service }) => service === 'payment') ?? {};
    const fault = { route: 'POST /api/v1/payments', failure: 'error', status: 503, errorRate: 1, calls: 1 };
    const put = await ask(`http://${host}:${ports?.ops}/ops/faults`, {
      method: 'PUT',
      body: { faults: [fault] },
    });
    expect(put.status).toBe(200);
    const customer = await Customer.of(stack, 'metrics-kinds');
    const { orderId } = await customer.ordered({ productId, quantity: 1 });
    await customer.status(orderId, 'SHIPPED', shippedDeadlineMs);
    await waitFor(
      'a series of every kind',
      async () => {
        const answers = await Promise.all(
          promised.map(async ([kind, expression]) =>
            (await queryNow(stack, `(${expression}) > 0`)).length > 0 ? [] : [`${kind}: ${expression}`],
          ),
        );
        if (answers.flat().length > 0) throw new Error(`no series of ${answers.flat().join(', ')}`);
        return true;
      },
      { deadlineMs: scrapedDeadlineMs, intervalMs: 1000 },
    );
    for (const metric of ofEveryService) {
      const services = await queryByService(stack, `max by (service_name) (${prometheusName(metric)})`);
      expect([...services.keys()].toSorted(), metric.name).toEqual([...serviceNames].toSorted());
    }
  });

  it('come from every instance and every engine that has some, and their series are bounded', async () => {
    // A scrape has 3 s, which a busy machine may exceed now and then.
    const areUp = async (): Promise<true> => {
      const up = await queryNow(stack, 'up == 1');
      const instances = up.filter(({ labels }) => labels.job === 'services');
      expect(instances.map(({ labels }) => labels.instance).toSorted()).toEqual(
        stack.endpoints.instances.map(({ id }) => id).toSorted(),
      );
      const engines = up.filter(({ labels }) => labels.job === 'engines').map(({ labels }) => labels.engine);
      expect(engines).toEqual(expect.arrayContaining(['envoy', 'prometheus', 'rabbitmq', 'victoria-logs']));
      return true;
    };
    await waitFor('all to be up', areUp, { deadlineMs: scrapedDeadlineMs, intervalMs: 500 });
    const [most] = await queryNow(stack, 'max(scrape_samples_scraped{job="services"})');
    expect(most?.value).toBeGreaterThan(10);
    expect(most?.value).toBeLessThan(seriesPerInstanceMax);
  });

  it('come from an instance that somebody starts by hand, as long as the registry lists it', async () => {
    const id = `notification-by-hand-${randomUUID()}`;
    const { discovery } = stack.endpoints;
    if (discovery === undefined) throw new Error('the stack has no registry of instances');
    const extra = new ExtraNotification(stack, id, { EUREKA_URL: discovery.url });
    const isAsked = async (): Promise<boolean> => {
      const { body } = await ask(`${prometheusOf(stack)}/api/v1/targets?state=active`);
      return JSON.stringify(body).includes(id);
    };
    try {
      const up = await waitFor(
        'its first scrape',
        async () => (await queryNow(stack, `up{instance="${id}"} == 1`))[0],
        { deadlineMs: scrapedDeadlineMs, intervalMs: 500 },
      );
      expect(up.labels).toMatchObject({ job: 'services', service_name: 'notification' });
    } finally {
      await extra.end('SIGTERM');
    }
    await waitFor('nobody to ask it any more', async () => ((await isAsked()) ? undefined : true), {
      deadlineMs: scrapedDeadlineMs,
      intervalMs: 500,
    });
  });

  it('of a log engine that hangs raise the alert that names it', async () => {
    const { alert, detectedAfterMs } = await drill('log-engine-away', 'ALERTS{alertname="LogEngineAway"}');
    expect(alert.labels).toMatchObject({ alertname: 'LogEngineAway', engine: 'victoria-logs' });
    expect(detectedAfterMs).toBeLessThan(60_000);
  });

  it('of a dead letter raise the alert that names the service and the queue', async () => {
    const alertOf = 'ALERTS{alertname="DeadLetters", service_name="shipping"}';
    // A dead letter of an earlier test may have raised it already: then it is not told apart from the drill's.
    const [before] = await queryNow(stack, alertOf);
    const { labels } = before ?? (await drill('dead-letters', alertOf)).alert;
    expect(labels).toMatchObject({
      alertname: 'DeadLetters',
      service_name: 'shipping',
      messaging_destination_name: 'shipping.requests',
    });
  });

  it(
    'of a consumer that falls behind raise the alert that names it, and it catches up',
    { timeout: 1_200_000 },
    async () => {
      const { alert, detectedAfterMs } = await drill('consumer-lag', 'ALERTS{alertname="ConsumerLag"}');
      expect(alert.labels).toMatchObject({
        alertname: 'ConsumerLag',
        service_name: 'notification',
        messaging_consumer_group_name: 'parley.notification.on-payment',
      });
      expect(detectedAfterMs).toBeGreaterThan(15_000); // a short one is nobody's business
      await waitFor(
        'notification to have caught up',
        async () => {
          const [lag] = await queryNow(stack, 'sum(parley_consumer_lag{service_name="notification"})');
          return lag?.value === 0 ? true : undefined;
        },
        { deadlineMs: calmDeadlineMs, intervalMs: 500 },
      );
    },
  );

  it('of an instance and of an engine that hang raise the alerts that name them', async () => {
    await drillTogether({
      'instance-gone': { alertname: 'InstanceGone', service_name: 'payment', instance: 'payment-1' },
      'engine-away': { alertname: 'EngineAway', engine: 'rabbitmq' },
    });
  });

  it('of a breaker that opens raise the alert that names the caller and its policy', async () => {
    await drillTogether({
      'breaker-open': { alertname: 'BreakerOpen', service_name: 'order', parley_policy: 'payment' },
    });
  });
});

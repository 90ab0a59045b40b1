import { setTimeout as delay } from 'node:timers/promises';
import type { Endpoints, Instance, ServiceName } from '@parley/contracts/endpoints';
import { shippingRequests } from '@parley/contracts/queues';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { opsUrl } from '../stack/instances.ts';
import type { AlertLabels } from './alerts.ts';
import { sendUnreadableRequest } from './dead-letter.ts';
import { freezeEngine, freezeInstance } from './freeze.ts';

/** The stack that a fault is put into, and how to use it as a customer. */
export interface DrillStack {
  readonly runDir: string;
  readonly endpoints: Endpoints;
  /** Places one order; rejects when the gateway cannot be reached. Any answer will do: some faults make it an error. */
  placeOrder(): Promise<void>;
}

/** A fault that can be put into a running stack and taken out again. */
export interface Fault {
  readonly name: string;
  readonly summary: string;
  /** What must fire, and whom it must name. */
  readonly alert: AlertLabels;
  /** Puts it in. Resolves with what takes it out again, which never rejects and may be called at any time. */
  inject(stack: DrillStack): Promise<() => Promise<void>>;
}

const orderEveryMs = 200;

/** Places orders, one after another, until it is stopped; a fault that hits nobody is not seen. */
const withOrders = (stack: DrillStack, restore: () => Promise<void>): (() => Promise<void>) => {
  const stopped = new AbortController();
  const place = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await stack.placeOrder().catch(() => undefined);
      await delay(orderEveryMs, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  };
  const placing = place();
  return async () => {
    stopped.abort();
    await restore();
    await placing;
  };
};

const putDeadlineMs = 5000;

/** Tells an instance how to fail, on its operations port; an empty list ends that. */
const putFaults = async (instance: Instance, faults: readonly object[]): Promise<void> => {
  const response = await fetch(`${opsUrl(instance)}/ops/faults`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ faults }),
    signal: AbortSignal.timeout(putDeadlineMs),
  });
  if (!response.ok)
    throw new CommandError(
      exitCodes.environment,
      `${instance.id} does not take faults, which is for development only: it answered ${response.status}`,
    );
};

/** How long a drill waits for its alert. */
export const drillDeadlineMs = 120_000;
/** Bound of a fault that nobody takes out, as when the drill is killed: somewhat longer than a drill takes. */
const faultForMs = drillDeadlineMs + 30_000;

/** What of a service's requests fails. */
interface Failing {
  readonly service: ServiceName;
  readonly route: string;
  /** Above 0, at most 1. */
  readonly share: number;
}

/** A share of what all instances of a service are asked is answered with an error. */
const fail = async (
  { endpoints }: DrillStack,
  { service, route, share }: Failing,
): Promise<() => Promise<void>> => {
  const instances = endpoints.instances.filter((instance) => instance.service === service);
  const fault = { route, status: 500, errorRate: share, forMs: faultForMs };
  const restore = async (): Promise<void> => {
    await Promise.allSettled(instances.map((instance) => putFaults(instance, []))); // one that has gone fails no more
  };
  try {
    await Promise.all(instances.map((instance) => putFaults(instance, [fault])));
  } catch (error) {
    await restore();
    throw error;
  }
  return restore;
};

/** Every fault, by the alert that is to notice it. */
export const faults: readonly Fault[] = [
  {
    name: 'instance-gone',
    summary: 'an instance of payment hangs (SIGSTOP)',
    alert: { alertname: 'InstanceGone', service_name: 'payment', instance: 'payment-1' },
    inject: ({ runDir }) => freezeInstance(runDir, 'payment-1'),
  },
  {
    name: 'payment-errors',
    summary: 'payment answers 30 % of the payments with an error while orders are placed',
    alert: { alertname: 'ServiceErrors', service_name: 'payment' },
    inject: async (stack) =>
      withOrders(
        stack,
        await fail(stack, { service: 'payment', route: 'POST /api/v1/payments', share: 0.3 }),
      ),
  },
  {
    name: 'order-errors',
    summary: 'order answers 60 % of the orders that are placed with an error',
    alert: { alertname: 'OrderFlowBurnsBudget', service_name: 'order' },
    inject: async (stack) =>
      withOrders(stack, await fail(stack, { service: 'order', route: 'POST /api/v1/orders', share: 0.6 })),
  },
  {
    name: 'breaker-open',
    summary: 'payment hangs while orders are placed, until order no longer calls it',
    alert: { alertname: 'BreakerOpen', service_name: 'order', parley_policy: 'payment' },
    inject: async (stack) => withOrders(stack, await freezeInstance(stack.runDir, 'payment-1')),
  },
  {
    name: 'consumer-lag',
    summary: 'RabbitMQ hangs while orders are placed: notification hands on nothing and falls behind',
    alert: {
      alertname: 'ConsumerLag',
      service_name: 'notification',
      messaging_consumer_group_name: 'parley.notification.on-payment',
    },
    inject: async (stack) => withOrders(stack, await freezeEngine(stack.runDir, 'rabbitmq')),
  },
  {
    name: 'dead-letters',
    summary: 'a request to ship that shipping cannot read; its dead letter is discarded afterwards',
    alert: {
      alertname: 'DeadLetters',
      service_name: 'shipping',
      messaging_destination_name: shippingRequests.queue,
    },
    inject: ({ endpoints }) => sendUnreadableRequest(endpoints),
  },
  {
    name: 'log-engine-away',
    summary: 'the log engine hangs (SIGSTOP)',
    alert: { alertname: 'LogEngineAway', engine: 'victoria-logs' },
    inject: ({ runDir }) => freezeEngine(runDir, 'victoria-logs'),
  },
  {
    name: 'engine-away',
    summary: 'RabbitMQ hangs (SIGSTOP)',
    alert: { alertname: 'EngineAway', engine: 'rabbitmq' },
    inject: ({ runDir }) => freezeEngine(runDir, 'rabbitmq'),
  },
];

/**
 * The hops of an order's request, each measured alone on the stack that serves the orders, at the same rate. Nothing
 * is subtracted: each hop is a whole call from this process, and their sum is what a request would take that did
 * nothing but wait for them in turn.
 */
import { randomUUID } from 'node:crypto';
import type { Endpoints } from '@parley/contracts/endpoints';
import { errorCatalog } from '@parley/contracts/errors';
import { ProductServiceService } from '@parley/contracts/grpc/product';
import { PaymentResource } from '@parley/contracts/rest';
import { openKafkaLog, type Aggregates, type EventLog } from '@parley/event-log';
import {
  createGrpcClient,
  createPolicy,
  createRestClient,
  grpcInstances,
  httpInstances,
  staticResolve,
} from '@parley/service';
import { pino } from 'pino';
import { tick, tickAggregate, tickTopic, type Ticked } from '../ticks.ts';
import type { Customers } from './customer.ts';

/** OrderCreated, PaymentStarted, OrderPaid: each is in the log before the next step begins. */
export const APPENDS_PER_ORDER = 3;
const TIMEOUT_MS = 2000;
/** Above payment's limit: it is declined, which records as many events as a completed one, and nobody ships. */
const DECLINED_AMOUNT_MINOR = 2_000_000;

/** One hop: a call that resolves once it has succeeded and throws otherwise. */
export interface Hop {
  readonly name: string;
  /** How often an order's request waits for it. */
  readonly times: number;
  readonly call: (index: number) => Promise<void>;
}

const gatewayHop = (customers: Customers, orderId: string): Hop => ({
  name: 'gatewayMs',
  times: 1,
  call: async () => {
    await customers.status(orderId);
  },
});

const reserveHop = (address: string, products: readonly string[]): Hop & { readonly close: () => void } => {
  const client = createGrpcClient(
    { service: ProductServiceService },
    {
      peer: 'product',
      resolve: staticResolve(grpcInstances('product', [address])),
      deadlineMs: TIMEOUT_MS,
      policy: createPolicy({ name: 'product', timeoutMs: TIMEOUT_MS }),
      errors: errorCatalog,
      idempotent: [],
    },
  );
  return {
    name: 'reserveStockMs',
    times: 1,
    call: async (index) => {
      const productId = products[index % products.length] ?? '';
      const answer = await client.reserveStock({ orderId: randomUUID(), productId, quantity: 1 });
      if (answer.kind !== 'ok') throw new Error(`ReserveStock: ${JSON.stringify(answer)}`);
    },
    close: () => {
      client.close();
    },
  };
};

const paymentHop = (baseUrl: string): Hop => {
  const policy = createPolicy({ name: 'payment', timeoutMs: TIMEOUT_MS });
  const client = createRestClient({
    peer: 'payment',
    resolve: staticResolve(httpInstances('payment', [baseUrl])),
    policy,
    errors: errorCatalog,
  });
  return {
    name: 'paymentMs',
    times: 1,
    call: async () => {
      const amount = { amountMinor: DECLINED_AMOUNT_MINOR, currency: 'EUR' };
      const body = { orderId: randomUUID(), customerId: 'bench', amount };
      const answer = await client.request({ method: 'POST', path: '/api/v1/payments', body });
      const payment = answer.kind === 'ok' ? PaymentResource.parse(answer.body) : undefined;
      if (payment?.status !== 'FAILED') throw new Error(`payment: ${JSON.stringify(answer)}`);
    },
  };
};

const appendHop = (ticks: Aggregates<number, Ticked>): Hop => ({
  name: 'appendMs',
  times: APPENDS_PER_ORDER,
  call: async (index) => {
    const outcome = await ticks.execute({
      streamId: `tick-${randomUUID()}`,
      commandId: randomUUID(),
      decide: () => ({ kind: 'events', events: [tick(index)] }),
      metadata: { correlationId: 'bench' },
    });
    if (outcome.kind !== 'accepted') throw new Error(`append: ${outcome.kind}`);
  },
});

/** Connects to what the hops need. `orderId` is an order of the customer. */
export async function openHops(
  endpoints: Endpoints,
  customers: Customers,
  { orderId, products }: { readonly orderId: string; readonly products: readonly string[] },
): Promise<{ readonly hops: readonly Hop[]; readonly close: () => Promise<void> }> {
  const log: EventLog = openKafkaLog({
    service: 'bench',
    clientId: 'bench',
    bootstrap: endpoints.kafka.bootstrap,
    registryUrl: endpoints.registry.url,
    logger: pino({ level: 'error' }, pino.destination(2)),
  });
  const ticks = log.aggregate(tickAggregate(tickTopic('parley.bench.events')));
  await log.start();
  const reserve = reserveHop(endpoints.product.grpc, products);
  return {
    hops: [gatewayHop(customers, orderId), reserve, paymentHop(endpoints.payment.http), appendHop(ticks)],
    close: async () => {
      reserve.close();
      await log.close();
    },
  };
}

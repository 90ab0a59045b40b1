import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { shippingRequests, type ShippingRequested } from '@parley/contracts/queues';
import {
  OpsProjectionRows,
  OpsProjections,
  OpsRebuild,
  OrderPage,
  OrderResource,
} from '@parley/contracts/rest';
import { expect, it } from 'vitest';
import { ask, Customer } from '../client.ts';
import { evidence } from '../ledger/evidence.ts';
import { withBroker } from '../queue.ts';
import { readStack } from '../stack.ts';
import { waitFor } from '../wait.ts';

const stack = readStack();
/** Of the seed: plenty. */
const plenty = 'wool-door-stop';
/** How long is waited for what is to happen. */
const deadlineMs = 120_000;
const readEveryMs = 20;
const underWayMax = 50;
const readsMin = 100;
/** On a quick machine with a short log, one takes less time than there is between two reads. */
const rebuildsMax = 1_000;
const statuses = ['CREATED', 'PAYMENT_PENDING', 'PAID', 'SHIPPED'];

const projections = async (ops: string): Promise<OpsProjections['projections']> =>
  OpsProjections.parse((await ask(`${ops}/ops/projections`)).body).projections;

/**
 * Read models that a service has for itself: no tool can fold them, so the service compares them with its log. While
 * every service runs there may be no unfinished order: of those it is compared that the finished ones have left.
 */
const own = ['order unfinished-orders', 'order unmatched-shipments', 'product orders-by-id'];
const ownWithRows = own.slice(1);

/** Has an order shipped that nobody placed, and waits until the order service has written that down. */
const shipUnknownOrder = async (): Promise<void> => {
  const { exchange, routingKey, messageType } = shippingRequests;
  const request: ShippingRequested = {
    requestId: randomUUID(),
    orderId: randomUUID(),
    customerId: 'nobody',
    paymentId: randomUUID(),
    notificationId: randomUUID(),
    requestedAt: Date.now(),
  };
  await withBroker(stack, async (connection) => {
    const channel = await connection.createConfirmChannel();
    const { requestId: messageId } = request;
    const properties = { messageId, type: messageType, persistent: true, contentType: 'application/json' };
    channel.publish(exchange, routingKey, Buffer.from(JSON.stringify(request)), properties);
    await channel.waitForConfirms();
  });
  const rows = `${stack.endpoints.order.ops}/ops/projections/unmatched-shipments/rows`;
  const found = async (): Promise<true | undefined> => {
    const { rows: shown } = OpsProjectionRows.parse((await ask(`${rows}?after=${request.orderId}`)).body);
    return shown.some(({ key }) => key.startsWith(request.orderId)) ? true : undefined;
  };
  await waitFor(`the unmatched shipment of ${request.orderId}`, found, { deadlineMs });
};

it('every read model of every service, those for itself too, is what the log comes to: rebuilt, it is what it was (P-13)', async (context) => {
  const customer = await Customer.of(stack, 'rebuild');
  const { orderId } = await customer.ordered({ productId: plenty, quantity: 1 });
  await customer.status(orderId, 'SHIPPED', deadlineMs);
  await shipUnknownOrder();
  const compared: Record<string, object> = {};
  for (const service of ['order', 'product', 'payment', 'notification', 'shipping'] as const) {
    const { ops } = stack.endpoints[service];
    for (const { name } of await projections(ops)) {
      const answer = await ask(`${ops}/ops/projections/${name}/rebuild`, { method: 'POST' });
      expect(answer.status, `${service} ${name}`).toBe(200);
      const report = OpsRebuild.parse(answer.body);
      expect(report).toMatchObject({ name, differed: false });
      const { positions, rows, events } = report;
      const stateHash = (await projections(ops)).find((told) => told.name === name)?.stateHash;
      const title = `${service} ${name}`;
      if (ownWithRows.includes(title)) expect(rows, title).toBeGreaterThan(0);
      compared[title] = { positions, rows, events, stateHash };
    }
  }
  expect(Object.keys(compared)).toEqual(expect.arrayContaining(own));
  evidence(context, ['P-13'], { compared });
});

/** Reads one order and the list of orders in turn, 50 times a second, whatever the latency, and keeps what is wrong. */
class Readers {
  readonly faults: string[] = [];
  reads = 0;
  orders = 0;
  readonly #customer: Customer;
  readonly #orderId: string;
  readonly #stopped = new AbortController();
  readonly #loop: Promise<void>;
  #status = 0;

  constructor(customer: Customer, orderId: string) {
    this.#customer = customer;
    this.#orderId = orderId;
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const underWay = new Set<Promise<void>>();
    for (let turn = 0; !this.#stopped.signal.aborted; turn++) {
      if (underWay.size < underWayMax) {
        const read = (turn % 2 === 0 ? this.#readOne() : this.#readList()).catch((error: unknown) => {
          this.faults.push(String(error));
        });
        underWay.add(read);
        void read.finally(() => underWay.delete(read));
      }
      await pause(readEveryMs);
    }
    await Promise.all(underWay);
  }

  /** What had been seen when a read began must be there when it ends. */
  async #readOne(): Promise<void> {
    const seen = this.#status;
    const order = await this.#customer.read(`/api/v1/orders/${this.#orderId}`, OrderResource);
    const status = statuses.indexOf(order.status);
    if (status < seen) this.faults.push(`${order.status} after ${statuses[seen] ?? ''}`);
    this.#status = Math.max(this.#status, status);
    this.reads++;
  }

  async #readList(): Promise<void> {
    const seen = this.orders;
    const { items } = await this.#customer.read('/api/v1/orders?limit=100', OrderPage);
    if (items.length < seen) this.faults.push(`${items.length} orders after ${seen}`);
    this.orders = Math.max(this.orders, items.length);
    this.reads++;
  }
}

it('reads at 50 a second go on while the orders are rebuilt: none fails, none steps back (P-12)', async (context) => {
  const { ops } = stack.endpoints.order;
  const customer = await Customer.of(stack, 'rebuild');
  const { orderId } = await customer.ordered({ productId: plenty, quantity: 1 });
  const readers = new Readers(customer, orderId);
  let [written, done] = [0, false];
  const writing = (async (): Promise<void> => {
    for (; !done; written++) await customer.ordered({ productId: plenty, quantity: 1 });
  })();
  writing.catch(() => undefined); // told when it is awaited
  const reports: OpsRebuild[] = [];
  let readsMeanwhile = 0;
  try {
    while (readsMeanwhile < readsMin && reports.length < rebuildsMax) {
      const before = readers.reads;
      const answer = await ask(`${ops}/ops/projections/orders/rebuild`, { method: 'POST' });
      readsMeanwhile += readers.reads - before;
      expect(answer.status).toBe(200);
      reports.push(OpsRebuild.parse(answer.body));
    }
    const behindTheSwap = readers.reads + 20;
    const areRead = (): true | undefined => (readers.reads >= behindTheSwap ? true : undefined);
    await waitFor('reads behind the swap', areRead, { deadlineMs });
  } finally {
    done = true;
    await Promise.allSettled([readers.stop(), writing]);
  }
  await writing;
  expect(readers.faults).toEqual([]);
  expect(reports.filter(({ differed }) => differed)).toEqual([]);
  expect(readsMeanwhile).toBeGreaterThanOrEqual(readsMin);
  expect(readers.orders).toBeGreaterThan(1);
  const last = reports.at(-1);
  evidence(context, ['P-12'], {
    rebuilds: reports.length,
    readsMeanwhile,
    reads: readers.reads,
    ordersWrittenMeanwhile: written,
    rebuildMs: reports.map(({ tookMs }) => tookMs),
    events: last?.events,
    rows: last?.rows,
  });
});

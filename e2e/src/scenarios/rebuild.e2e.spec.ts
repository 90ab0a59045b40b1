import { setTimeout as pause } from 'node:timers/promises';
import { OpsProjections, OpsRebuild, OrderPage, OrderResource } from '@parley/contracts/rest';
import { expect, it } from 'vitest';
import { ask, Customer } from '../client.ts';
import { evidence } from '../ledger/evidence.ts';
import { readStack } from '../stack.ts';
import { waitFor } from '../wait.ts';

const stack = readStack();
/** Of the seed: plenty. */
const plenty = 'wool-door-stop';
const readEveryMs = 20;
const statuses = ['CREATED', 'PAYMENT_PENDING', 'PAID', 'SHIPPED'];

const projections = async (ops: string): Promise<OpsProjections['projections']> =>
  OpsProjections.parse((await ask(`${ops}/ops/projections`)).body).projections;

it('every read model of every service can be rebuilt, and is what it was', async () => {
  for (const service of ['order', 'product', 'payment', 'notification', 'shipping'] as const) {
    const { ops } = stack.endpoints[service];
    for (const { name } of await projections(ops)) {
      const answer = await ask(`${ops}/ops/projections/${name}/rebuild`, { method: 'POST' });
      expect(answer.status, `${service} ${name}`).toBe(200);
      expect(OpsRebuild.parse(answer.body)).toMatchObject({ name, differed: false });
    }
  }
});

it('reads at 50 a second go on while the orders are rebuilt: none fails, none steps back (P-12)', async (context) => {
  const { ops } = stack.endpoints.order;
  const customer = await Customer.of(stack, 'rebuild');
  const first = await customer.ordered({ productId: plenty, quantity: 1 });
  const faults: string[] = [];
  let [reads, seenStatus, seenOrders] = [0, 0, 0];
  const readOnce = async (): Promise<void> => {
    const one = await customer.ask(`/api/v1/orders/${first.orderId}`);
    const list = await customer.ask('/api/v1/orders?limit=100');
    reads += 2;
    if (one.status !== 200 || list.status !== 200) {
      faults.push(`${one.status} and ${list.status}`);
      return;
    }
    const status = statuses.indexOf(OrderResource.parse(one.body).status);
    const orders = OrderPage.parse(list.body).items.length;
    if (status < seenStatus) faults.push(`the order was ${statuses[seenStatus] ?? ''} already`);
    if (orders < seenOrders) faults.push(`${orders} orders after ${seenOrders}`);
    [seenStatus, seenOrders] = [Math.max(seenStatus, status), Math.max(seenOrders, orders)];
  };
  let done = false;
  const reading = async (): Promise<void> => {
    // Two requests each time, one after the other, so that a later read is one that began later.
    while (!done) await Promise.all([readOnce(), pause(2 * readEveryMs)]);
  };
  const readers = reading();
  const rebuilding = ask(`${ops}/ops/projections/orders/rebuild`, { method: 'POST' });
  let written = 0;
  const writing = async (): Promise<void> => {
    for (; !done; written++) await customer.ordered({ productId: plenty, quantity: 1 });
  };
  const writers = writing();
  const startedAt = performance.now();
  const answer = await rebuilding;
  const rebuiltAfterMs = Math.round(performance.now() - startedAt);
  const behindTheSwap = reads + 20;
  await waitFor('reads behind the swap', () => (reads >= behindTheSwap ? true : undefined), {
    deadlineMs: 20_000,
  });
  done = true;
  await Promise.all([readers, writers]);
  expect(answer.status).toBe(200);
  const report = OpsRebuild.parse(answer.body);
  expect(report).toMatchObject({ name: 'orders', differed: false });
  expect(faults).toEqual([]);
  expect(seenOrders).toBeGreaterThan(1);
  evidence(context, ['P-12'], { reads, rebuiltAfterMs, written, events: report.events, rows: report.rows });
});

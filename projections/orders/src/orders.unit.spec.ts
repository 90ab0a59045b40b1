import type { OrderEvent } from '@parley/contracts/events';
import { deriveId, openMemoryLog, type RecordedEvent } from '@parley/event-log';
import { describe, expect, it } from 'vitest';
import { foldOrder, orders, type OrderRow } from './orders.ts';

const idOf = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const orderId = idOf(1);
const created = (n = 1, customerId = 'alice'): OrderEvent => ({
  type: 'OrderCreated',
  data: {
    orderId: idOf(n),
    customerId,
    productId: 'cup',
    quantity: 2,
    createdAt: 1,
    channel: 'WEB',
    dispatchBy: 9,
  },
});
const started: OrderEvent = {
  type: 'PaymentStarted',
  data: { orderId, unitPriceMinor: 500, amountMinor: 1000, currency: 'EUR', reservedUntil: 8, startedAt: 2 },
};
const paid: OrderEvent = { type: 'OrderPaid', data: { orderId, paymentId: idOf(77), paidAt: 3 } };
const shipment = { shipmentId: idOf(88), carrier: 'Parley Post', trackingNumber: 'PP01' };
const shipped: OrderEvent = { type: 'OrderShipped', data: { orderId, ...shipment, shippedAt: 4 } };
const cancelled: OrderEvent = {
  type: 'OrderCancelled',
  data: { orderId, reason: 'STOCK_SHORT', detail: 'There is not enough stock.', cancelledAt: 5 },
};
const unmatched: OrderEvent = {
  type: 'ShipmentUnmatched',
  data: { orderId, ...shipment, reason: 'ORDER_CANCELLED', recordedAt: 6 },
};
const fold = (...events: readonly OrderEvent[]): OrderRow | undefined =>
  events.reduce<OrderRow | undefined>((row, event) => foldOrder(row, { event }), undefined);

describe('an order in the read model', () => {
  it('has every attribute of an order at each status', () => {
    const placed = {
      orderId,
      customerId: 'alice',
      productId: 'cup',
      quantity: 2,
      channel: 'WEB',
      createdAtMs: 1,
      dispatchByMs: 9,
    };
    const amount = { amountMinor: 1000, currency: 'EUR' };
    expect(fold(created())).toEqual({ ...placed, status: 'CREATED', updatedAtMs: 1 });
    expect(fold(created(), started)).toEqual({
      ...placed,
      status: 'PAYMENT_PENDING',
      updatedAtMs: 2,
      amount,
    });
    const asPaid = { ...placed, status: 'PAID', updatedAtMs: 3, amount, paymentId: idOf(77) };
    expect(fold(created(), started, paid)).toEqual(asPaid);
    expect(fold(created(), started, paid, shipped)).toEqual({
      ...asPaid,
      status: 'SHIPPED',
      updatedAtMs: 4,
      shipment,
    });
    expect(fold(created(), cancelled)).toEqual({
      ...placed,
      status: 'CANCELLED',
      updatedAtMs: 5,
      cancellation: { reason: 'STOCK_SHORT', detail: 'There is not enough stock.' },
    });
  });

  it('is replaced and never changed', () => {
    const before = Object.freeze(fold(created(), started));
    expect(foldOrder(before, { event: paid })).not.toBe(before);
    expect(before).toMatchObject({ status: 'PAYMENT_PENDING', updatedAtMs: 2 });
  });

  it('is not touched, and not made, by a shipment that does not match it', () => {
    const before = fold(created(), cancelled);
    expect(foldOrder(before, { event: unmatched })).toBe(before);
    expect(fold(unmatched)).toBeUndefined();
  });

  it.each([started, paid, shipped, cancelled])('never begins with $type', (event) => {
    expect(() => fold(event)).toThrow('never created');
  });

  it('is keyed by its id, whatever its stream is called', () => {
    const event = { event: paid, streamId: 'order-x' } as RecordedEvent<OrderEvent>; // all that the key looks at
    expect(orders.key?.(event)).toBe(orderId);
  });
});

describe('the orders of a customer', () => {
  const openView = async () => {
    const log = openMemoryLog();
    const aggregate = log.aggregate<number, OrderEvent>({
      name: 'order',
      topic: orders.topic,
      initial: 0,
      evolve: (count) => count + 1,
    });
    const view = log.project(orders);
    await log.start();
    const append = async (event: OrderEvent): Promise<void> => {
      const { orderId: id } = event.data;
      const outcome = await aggregate.execute({
        streamId: `order-${id}`,
        commandId: deriveId(event.type, id),
        decide: () => ({ kind: 'events', events: [event] }),
        metadata: { correlationId: 'test' },
      });
      if (outcome.kind !== 'accepted') throw new Error(outcome.kind);
    };
    return { view, append, [Symbol.asyncDispose]: () => log.close() };
  };
  const ids = (rows: readonly OrderRow[]): readonly string[] => rows.map((row) => row.orderId);

  it('are found in key order, each once, a page after the other, whatever the order they came in', async () => {
    await using world = await openView();
    const mine = [5, 3, 9, 1, 7, 2, 8];
    for (const n of mine) await world.append(created(n));
    for (const n of [4, 6]) await world.append(created(n, 'bob'));
    await world.append(created(10, 'alice2'));
    const seen: string[] = [];
    const sizes: number[] = [];
    for (let after: string | undefined = ''; after !== undefined; after = seen.at(-1)) {
      const page = world.view.find('customer', 'alice', { limit: 3, ...(after && { after }) });
      if (page.length === 0) break;
      sizes.push(page.length);
      seen.push(...ids(page));
    }
    expect(seen).toEqual([...mine].sort((a, b) => a - b).map(idOf));
    expect(sizes).toEqual([3, 3, 1]);
    expect(ids(world.view.find('customer', 'bob', { limit: 10 }))).toEqual([idOf(4), idOf(6)]);
    expect(world.view.find('customer', 'nobody', { limit: 10 })).toEqual([]);
    expect(world.view.values('customer')).toEqual(['alice', 'alice2', 'bob']);
  });

  it('go on behind a key that is not among them, and one that comes in front of a page is not seen twice', async () => {
    await using world = await openView();
    for (const n of [2, 4, 6]) await world.append(created(n));
    const first = world.view.find('customer', 'alice', { limit: 2 });
    await world.append(created(1));
    const rest = world.view.find('customer', 'alice', { limit: 10, after: idOf(4) });
    expect([ids(first), ids(rest)]).toEqual([[idOf(2), idOf(4)], [idOf(6)]]);
    expect(ids(world.view.find('customer', 'alice', { limit: 10, after: idOf(3) }))).toEqual([
      idOf(4),
      idOf(6),
    ]);
  });

  it('are found as they are now', async () => {
    await using world = await openView();
    for (const event of [created(), started, paid]) await world.append(event);
    expect(world.view.find('customer', 'alice', { limit: 10 })).toMatchObject([{ orderId, status: 'PAID' }]);
    expect(world.view.get(orderId)).toEqual(fold(created(), started, paid));
    expect(world.view.size).toBe(1);
  });
});

import { orderEvents } from '@parley/contracts/topics';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { createWorld, metadata, orderIdOf, request } from '../../testing/world.ts';

const orderId = orderIdOf(request());
const nobody = '00000000-0000-4000-8000-00000000dead';
const shipmentOf = (id: string) => ({
  orderId: id,
  shipmentId: id,
  carrier: 'Parley Post',
  trackingNumber: 'PP0000000000000001',
});
const shippedPath = ['OrderCreated', 'PaymentStarted', 'OrderPaid', 'OrderShipped'];

describe('a dispatched shipment', () => {
  it('makes a paid order SHIPPED, once, however often it is told', async () => {
    await using world = createWorld();
    const { placeOrder, recordShipment, history, view } = await world.open();
    await placeOrder(request(), metadata);
    await Promise.all(Array.from({ length: 5 }, () => recordShipment(shipmentOf(orderId), metadata)));
    await recordShipment(shipmentOf(orderId), metadata);
    expect(history(orderId)).toEqual(shippedPath);
    expect(view.get(orderId)).toMatchObject({ status: 'SHIPPED', shipment: { shipmentId: orderId } });
  });

  it('that is told to two instances at the same time is recorded once', async () => {
    await using world = createWorld();
    const [one, two] = [await world.open(), await world.open()];
    await one.placeOrder(request(), metadata);
    await expect.poll(() => two.history(orderId)).toHaveLength(3);
    await Promise.all([one, two].map((each) => each.recordShipment(shipmentOf(orderId), metadata)));
    for (const each of [one, two]) await expect.poll(() => each.history(orderId)).toEqual(shippedPath);
  });

  it('that overtakes the answer of payment brings the order up to date first', async () => {
    await using world = createWorld();
    const { placeOrder, recordShipment, history } = await world.open();
    world.payments.faults.push('after');
    await placeOrder(request(), metadata);
    await recordShipment(shipmentOf(orderId), metadata);
    expect(history(orderId)).toEqual(shippedPath);
    expect(world.payments.charged).toEqual([orderId]);
  });

  it('is to be told again while the order cannot be brought up to date', async () => {
    await using world = createWorld();
    const { placeOrder, recordShipment, history } = await world.open();
    world.payments.faults.push('after', 'before');
    await placeOrder(request(), metadata);
    expect(await recordShipment(shipmentOf(orderId), metadata)).toMatchObject({
      kind: 'not-yet',
      why: expect.stringContaining('PAYMENT_PENDING') as string,
    });
    await recordShipment(shipmentOf(orderId), metadata);
    expect(history(orderId)).toEqual(shippedPath);
  });

  it('of an order that has not reached this instance yet is recorded on it all the same', async () => {
    await using world = createWorld();
    const one = await world.open();
    const released = Promise.withResolvers<undefined>();
    const read = world.broker.read.bind(world.broker);
    const held = vi.spyOn(world.broker, 'read').mockImplementation((name, listener) =>
      read(name, {
        ...listener,
        onRecords: async (partition, records) => {
          await released.promise;
          await listener.onRecords(partition, records);
        },
      }),
    );
    const two = await world.open();
    held.mockRestore();
    await one.placeOrder(request(), metadata);
    const recorded = two.recordShipment(shipmentOf(orderId), metadata);
    // Its first append is in the log, on version 0 of a stream that has three events.
    await expect.poll(() => world.broker.endOffsets(orderEvents.name).reduce((a, b) => a + b)).toBe(4);
    expect(two.history(orderId)).toEqual([]);
    released.resolve(undefined);
    await recorded;
    expect(two.history(orderId)).toEqual(shippedPath);
    expect([two.told, two.unmatched.size]).toEqual([[], 0]);
  });

  it('of no order, of a cancelled one or of one shipped otherwise is recorded as unmatched and told once', async () => {
    await using world = createWorld();
    const { placeOrder, recordShipment, history, told, unmatched, view } = await world.open();
    world.payments.amountLimitMinor = 1;
    await placeOrder(request(), metadata);
    world.payments.amountLimitMinor = 1_000_000;
    const other = request({ idempotencyKey: 'key-2' });
    await placeOrder(other, metadata);
    await recordShipment(shipmentOf(orderIdOf(other)), metadata);
    const before = view.stateHash();
    const second = { ...shipmentOf(orderIdOf(other)), shipmentId: orderId };
    for (const shipment of [shipmentOf(nobody), shipmentOf(orderId), second]) {
      await recordShipment(shipment, metadata);
      await recordShipment(shipment, metadata);
    }
    expect(told.map(({ status }) => status)).toEqual(['NONE', 'CANCELLED', 'SHIPPED']);
    expect(
      unmatched
        .list({ limit: 10 })
        .map(({ reason }) => reason)
        .sort(),
    ).toEqual(['ORDER_CANCELLED', 'ORDER_SHIPPED_OTHERWISE', 'ORDER_UNKNOWN']);
    expect(history(orderId)).toEqual([
      'OrderCreated',
      'PaymentStarted',
      'OrderCancelled',
      'ShipmentUnmatched',
    ]);
    expect(view.stateHash()).toBe(before);
    expect(view.get(nobody)).toBeUndefined();
  });

  it('comes to the same orders in any order, with any repetitions', async () => {
    const requests = [1, 2, 3, 4].map((n) => request({ idempotencyKey: `k-${n}` }));
    const ids = requests.map(orderIdOf);
    const hashes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(ids, { minLength: ids.length }),
        fc.array(fc.constantFrom(...ids), { maxLength: 8 }),
        async (order, repetitions) => {
          await using world = createWorld();
          const { placeOrder, recordShipment, view } = await world.open();
          for (const each of requests) await placeOrder(each, metadata);
          await Promise.all([...order, ...repetitions].map((id) => recordShipment(shipmentOf(id), metadata)));
          hashes.add(view.stateHash());
        },
      ),
      { seed: 4107, numRuns: 20 },
    );
    expect(hashes.size).toBe(1);
  });
});

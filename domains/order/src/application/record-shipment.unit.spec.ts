import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createWorld, metadata, orderIdOf, request } from '../../testing/world.ts';

const orderId = orderIdOf(request());
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
    await expect(recordShipment(shipmentOf(orderId), metadata)).rejects.toThrow('PAYMENT_PENDING');
    await recordShipment(shipmentOf(orderId), metadata);
    expect(history(orderId)).toEqual(shippedPath);
  });

  it('of an order that has not reached this instance yet is to be told again', async () => {
    await using world = createWorld();
    const { recordShipment } = await world.open();
    await expect(recordShipment(shipmentOf(orderId), metadata)).rejects.toThrow('NONE');
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

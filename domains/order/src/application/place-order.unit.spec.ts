import { describe, expect, it } from 'vitest';
import { createWorld, metadata, orderIdOf, request } from '../../testing/world.ts';
import { createPlaceOrder } from './place-order.ts';

describe('placing an order', () => {
  it('records it, holds its stock and pays for it before the answer', async () => {
    await using world = createWorld();
    const { placeOrder, history } = await world.open();
    const orderId = orderIdOf(request());
    expect(await placeOrder(request(), metadata)).toMatchObject({
      kind: 'settled',
      state: { status: 'PAID', placed: { orderId }, due: { amountMinor: 1000, currency: 'EUR' } },
    });
    expect(history(orderId)).toEqual(['OrderCreated', 'PaymentStarted', 'OrderPaid']);
    expect(world.payments.charged).toEqual([orderId]);
  });

  it('answers a repetition with the same order and pays once, also when requests race', async () => {
    await using world = createWorld();
    const { placeOrder, history } = await world.open();
    const answers = await Promise.all(Array.from({ length: 20 }, () => placeOrder(request(), metadata)));
    world.clock.ms += 5_000;
    const later = await placeOrder(request(), metadata);
    for (const answer of answers) expect(answer).toEqual(later);
    expect(history(orderIdOf(request()))).toHaveLength(3);
    expect([world.products.calls, world.payments.calls]).toEqual([1, 1]);
  });

  it('refuses another product or quantity under the same key, and the order stays as it is', async () => {
    await using world = createWorld();
    const { placeOrder, view } = await world.open();
    await placeOrder(request(), metadata);
    const hash = view.stateHash();
    expect(await placeOrder(request({ quantity: 3 }), metadata)).toEqual({ kind: 'key-reused' });
    expect(await placeOrder(request({ productId: 'pot' }), metadata)).toEqual({ kind: 'key-reused' });
    expect(view.stateHash()).toBe(hash);
  });

  it('keeps the keys of two customers apart', async () => {
    await using world = createWorld();
    const { placeOrder, view } = await world.open();
    await placeOrder(request(), metadata);
    expect(await placeOrder(request({ customerId: 'bob', quantity: 1 }), metadata)).toMatchObject({
      state: { status: 'PAID', placed: { customerId: 'bob', quantity: 1 } },
    });
    expect(view.size).toBe(2);
  });

  it('goes on where the first attempt stopped when the request is repeated', async () => {
    await using world = createWorld();
    const { placeOrder, history } = await world.open();
    world.payments.faults.push('before');
    expect(await placeOrder(request(), metadata)).toMatchObject({
      kind: 'blocked',
      by: 'payment',
      state: { status: 'PAYMENT_PENDING' },
    });
    expect(await placeOrder(request(), metadata)).toMatchObject({ state: { status: 'PAID' } });
    expect(history(orderIdOf(request()))).toEqual(['OrderCreated', 'PaymentStarted', 'OrderPaid']);
  });

  it('calls nobody for an order that is not known to be in the log, and says so', async () => {
    const asked: string[] = [];
    const failure = { kind: 'unknown', commitId: 'c' } as const;
    const placeOrder = createPlaceOrder({
      orders: {
        execute: () => Promise.resolve(failure),
        load: () => {
          throw new Error('there is nothing to load');
        },
      },
      advance: (orderId) => {
        asked.push(orderId);
        return Promise.reject(new Error('not expected'));
      },
      now: () => 1,
      leftMs: () => 1_000,
    });
    expect(await placeOrder(request(), metadata)).toEqual({ kind: 'not-placed', failure });
    expect(asked).toEqual([]);
  });
});

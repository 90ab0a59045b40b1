import { describe, expect, it } from 'vitest';
import { HOLD_MS, type Fault } from '../../testing/peers.ts';
import { createWorld, metadata, orderIdOf, request } from '../../testing/world.ts';
import { HOLD_MARGIN_MS } from '../core/fulfilment.ts';
import { createAdvance } from './advance.ts';
import type { Reservation } from './ports.ts';

const orderId = orderIdOf(request());
const settledPath = ['OrderCreated', 'PaymentStarted', 'OrderPaid'];

/** An order whose payment was asked for and whose answer, if any, was lost; its hold has ended and its stock is gone. */
const stranded = async (world: ReturnType<typeof createWorld>, payment: Fault) => {
  const instance = await world.open();
  world.payments.faults.push(payment);
  await instance.placeOrder(request(), metadata);
  world.clock.ms += HOLD_MS;
  world.products.stock = 0;
  return instance;
};

describe('advancing an order', () => {
  it.each<['products' | 'payments', Fault]>([
    ['products', 'before'],
    ['products', 'after'],
    ['payments', 'before'],
    ['payments', 'after'],
  ])('ends PAID with one charge when %s fails %s its effect', async (peer, fault) => {
    await using world = createWorld();
    const { placeOrder, advance, history } = await world.open();
    world[peer].faults.push(fault, fault);
    expect(await placeOrder(request(), metadata)).toMatchObject({ kind: 'blocked' });
    expect(await advance(orderId, metadata)).toMatchObject({ kind: 'blocked' });
    expect(await advance(orderId, metadata)).toMatchObject({ kind: 'settled', state: { status: 'PAID' } });
    expect(history(orderId)).toEqual(settledPath);
    expect(world.payments.charged).toEqual([orderId]);
  });

  it.each([
    ['an unknown product', { productId: 'pot' }, 'PRODUCT_UNKNOWN'],
    ['more than there is', { quantity: 99 }, 'STOCK_SHORT'],
    ['more than payment accepts', { quantity: 9 }, 'PAYMENT_DECLINED'],
  ])('cancels an order for %s, once, and charges nobody', async (_title, over, reason) => {
    await using world = createWorld({ stock: 10 });
    world.payments.amountLimitMinor = 4_000;
    const { placeOrder, advance, history } = await world.open();
    const answer = await placeOrder(request(over), metadata);
    expect(answer).toMatchObject({ kind: 'settled', state: { status: 'CANCELLED', reason } });
    expect(await advance(orderId, metadata)).toEqual(answer);
    expect(history(orderId).filter((type) => type === 'OrderCancelled')).toHaveLength(1);
    expect(world.payments.charged).toEqual([]);
  });

  it('asks for no payment on a hold that is about to end, and pays the first price on the renewed one', async () => {
    await using world = createWorld();
    const { placeOrder, advance, history } = await world.open();
    world.payments.faults.push('before');
    await placeOrder(request(), metadata);
    world.clock.ms += HOLD_MS - HOLD_MARGIN_MS + 1;
    const asked = world.payments.calls;
    expect(await advance(orderId, metadata)).toMatchObject({ kind: 'blocked', by: 'product' });
    expect(world.payments.calls).toBe(asked);
    world.clock.ms += HOLD_MARGIN_MS;
    expect(await advance(orderId, metadata)).toMatchObject({
      state: { status: 'PAID', due: { amountMinor: 1000, reservedUntilMs: world.clock.ms + HOLD_MS } },
    });
    expect(history(orderId)).toEqual(['OrderCreated', 'PaymentStarted', 'PaymentStarted', 'OrderPaid']);
  });

  it('never cancels an order that was charged: payment is asked before the stock is given up', async () => {
    await using world = createWorld();
    const { advance, history } = await stranded(world, 'after');
    expect(world.payments.charged).toEqual([orderId]);
    expect(await advance(orderId, metadata)).toMatchObject({ kind: 'settled', state: { status: 'PAID' } });
    expect(history(orderId)).toEqual(settledPath);
  });

  it('cancels an order whose stock was sold to someone else only when it has no payment', async () => {
    await using world = createWorld();
    const { advance } = await stranded(world, 'before');
    expect(await advance(orderId, metadata)).toMatchObject({
      kind: 'settled',
      state: { status: 'CANCELLED', reason: 'STOCK_SHORT' },
    });
    expect(world.payments.charged).toEqual([]);
  });

  it('leaves an order without stock as it is while payment cannot say whether it was charged', async () => {
    await using world = createWorld();
    const { advance } = await stranded(world, 'after');
    world.payments.faults.push('before');
    expect(await advance(orderId, metadata)).toMatchObject({
      kind: 'blocked',
      by: 'payment',
      state: { status: 'PAYMENT_PENDING' },
    });
  });

  it('cancels an order whose payment was given up, also when there is stock again before that is known', async () => {
    await using world = createWorld();
    const { advance, history } = await stranded(world, 'before');
    world.payments.faults.push('after'); // given up, and nobody hears of it
    expect(await advance(orderId, metadata)).toMatchObject({ kind: 'blocked', by: 'payment' });
    world.products.stock = 2;
    expect(await advance(orderId, metadata)).toMatchObject({
      kind: 'settled',
      state: { status: 'CANCELLED', reason: 'STOCK_SHORT' },
    });
    expect(history(orderId)).toEqual(['OrderCreated', 'PaymentStarted', 'PaymentStarted', 'OrderCancelled']);
    expect(world.payments.charged).toEqual([]);
  });

  it('shares one run among all who ask at the same time', async () => {
    await using world = createWorld();
    const { placeOrder, advance } = await world.open();
    world.products.faults.push('before');
    await placeOrder(request(), metadata);
    const answers = await Promise.all(Array.from({ length: 10 }, () => advance(orderId, metadata)));
    expect(new Set(answers).size).toBe(1);
    expect([world.products.calls, world.payments.calls]).toEqual([2, 1]);
  });

  it('says how far the order is when the log does not confirm the next step', async () => {
    await using world = createWorld({ limits: { echoDeadlineMs: 50 } });
    const instance = await world.open();
    world.products.faults.push('before');
    await instance.placeOrder(request(), metadata);
    world.broker.failNextSends('lost', 'lost');
    expect(await instance.advance(orderId, metadata)).toMatchObject({
      kind: 'failed',
      state: { status: 'CREATED' },
      failure: { kind: 'unknown' },
    });
    await expect.poll(() => instance.orders.load(`order-${orderId}`).version).toBe(2);
    expect(await instance.advance(orderId, metadata)).toMatchObject({ state: { status: 'PAID' } });
  });
});

describe('two instances that advance one order', () => {
  it('come to the same end with one charge and no fact twice', async () => {
    await using world = createWorld();
    const instances = [await world.open(), await world.open()];
    const answers = await Promise.all(
      instances.flatMap(({ placeOrder }) => Array.from({ length: 5 }, () => placeOrder(request(), metadata))),
    );
    for (const answer of answers)
      expect(answer).toMatchObject({ kind: 'settled', state: { status: 'PAID' } });
    expect(world.payments.charged).toEqual([orderId]);
    for (const { history } of instances) await expect.poll(() => history(orderId)).toEqual(settledPath);
    expect(instances[0]?.view.stateHash()).toBe(instances[1]?.view.stateHash());
  });

  it('do not cancel on an old word of product what the other is paying for', async () => {
    await using world = createWorld({ stock: 0 });
    const slow = await world.open();
    const fast = await world.open();
    world.products.faults.push('before');
    await fast.placeOrder(request(), metadata); // CREATED
    await expect.poll(() => slow.history(orderId)).toEqual(['OrderCreated']);
    const asked = Promise.withResolvers<undefined>();
    const answered = Promise.withResolvers<Reservation>();
    const late = createAdvance({
      orders: slow.orders,
      payments: world.payments,
      products: {
        reserve: (of) => {
          asked.resolve(undefined);
          return world.products.calls === 1 ? answered.promise : world.products.reserve(of);
        },
      },
      now: () => world.clock.ms,
    });
    const losing = late(orderId, metadata);
    await asked.promise;
    world.products.stock = 2;
    world.payments.faults.push('after');
    expect(await fast.advance(orderId, metadata)).toMatchObject({ state: { status: 'PAYMENT_PENDING' } });
    await expect.poll(() => slow.orders.load(`order-${orderId}`).version).toBe(2);
    answered.resolve({ kind: 'stock-short' });
    expect(await losing).toMatchObject({ kind: 'settled', state: { status: 'PAID' } });
    await expect.poll(() => fast.history(orderId)).toEqual(settledPath);
  });

  it('cancel together what one has had the payment given up of while the other got a new hold', async () => {
    await using world = createWorld();
    const one = await stranded(world, 'before');
    const other = await world.open();
    const advance = createAdvance({
      orders: one.orders,
      products: world.products,
      payments: {
        pay: (of) => world.payments.pay(of),
        void: async (of) => {
          const answer = await world.payments.void(of);
          world.products.stock = 2;
          world.payments.faults.push('before');
          expect(await other.advance(orderId, metadata)).toMatchObject({ kind: 'blocked', by: 'payment' });
          await expect.poll(() => one.orders.load(`order-${orderId}`).version).toBe(3);
          return answer;
        },
      },
      now: () => world.clock.ms,
    });
    expect(await advance(orderId, metadata)).toMatchObject({ state: { status: 'CANCELLED' } });
    expect(await other.advance(orderId, metadata)).toMatchObject({ state: { status: 'CANCELLED' } });
    expect(world.payments.charged).toEqual([]);
  });
});

import type { OrderEvent } from '@parley/contracts/events';
import { orderEvents } from '@parley/contracts/topics';
import { deriveId, openMemoryLog, type EventLog, type RecordedEvent } from '@parley/event-log';
import { productsProjection } from '@parley/projection-products';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { onOrder } from '../adapters/inbound/reactions.ts';
import { readSeed } from '../adapters/outbound/seed-file.ts';
import { productAggregate } from './aggregate.ts';
import { createExpiry } from './expiry.ts';
import { ordersProjection } from './orders.ts';
import { seedProducts } from './seed.ts';
import { createSettle } from './settle.ts';
import { createStock, HOLD_MS } from './stock.ts';

const closing: EventLog[] = [];
afterEach(async () => {
  for (const log of closing.splice(0)) await log.close();
});

const orderOf = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const metadata = { correlationId: 'test' };
const productId = 'lunar-wall-clock';
const batchWindow = { gatherMs: 250 };

const setUp = async () => {
  const log = openMemoryLog();
  closing.push(log);
  const clock = { ms: 1_000_000 };
  const now = (): number => clock.ms;
  const lines: { readonly message: string }[] = [];
  const logger = quiet(lines);
  const products = log.aggregate(productAggregate);
  const view = log.project(productsProjection);
  const orders = log.project(ordersProjection);
  const stock = createStock({ products, now });
  log.react(onOrder(createSettle({ stock, orders, log: logger, now }), batchWindow));
  const expire = createExpiry({ products, orders, health: () => log.health(), log: logger, now });
  const orderLog = log.aggregate<number, OrderEvent>({
    name: 'order',
    topic: orderEvents,
    initial: 0,
    evolve: (count) => count + 1,
  });
  await log.start();
  await seedProducts({ products, now }, readSeed());
  const tell = async (orderId: string, ...events: readonly OrderEvent[]): Promise<void> => {
    for (const [index, event] of events.entries()) {
      const outcome = await orderLog.execute({
        streamId: `order-${orderId}`,
        commandId: crypto.randomUUID(),
        decide: () => ({ kind: 'events', events: [event] }),
        metadata,
      });
      if (outcome.kind !== 'accepted') throw new Error(`event ${index}: ${outcome.kind}`);
    }
  };
  const available = (): number | undefined => view.get(productId)?.available;
  return { log, clock, products, view, orders, stock, expire, tell, available, lines };
};

const created = (orderId: string, quantity = 1): OrderEvent => ({
  type: 'OrderCreated',
  data: {
    orderId,
    customerId: 'alice',
    productId,
    quantity,
    createdAt: 1,
    channel: 'WEB',
    dispatchBy: 2,
  },
});
const paid = (orderId: string): OrderEvent => ({
  type: 'OrderPaid',
  data: { orderId, paymentId: orderOf(999), paidAt: 1 },
});
const cancelled = (orderId: string): OrderEvent => ({
  type: 'OrderCancelled',
  data: { orderId, reason: 'PAYMENT_DECLINED', detail: 'declined', cancelledAt: 1 },
});

const quiet = (lines: { readonly message: string }[]) => {
  const say = (_fields: object, message: string): void => void lines.push({ message });
  return { info: say, warn: say, error: say };
};
const recordedOf = (event: OrderEvent, n: number): RecordedEvent<OrderEvent> => ({
  event,
  streamId: `order-${event.data.orderId}`,
  version: 2,
  position: { topic: orderEvents.name, partition: 0, offset: n },
  eventId: deriveId('event', event.type, event.data.orderId),
  commitId: deriveId('commit', event.type, event.data.orderId),
  recordedAtMs: 1,
  correlationId: 'test',
  causationId: undefined,
  traceparent: undefined,
});

describe('seeding', () => {
  it('lists at least 24 products in at least 4 categories, once, however often it runs', async () => {
    const { view, products, available } = await setUp();
    expect(view.size).toBeGreaterThanOrEqual(24);
    expect(view.values('category').length).toBeGreaterThanOrEqual(4);
    const hash = view.stateHash();
    expect(await seedProducts({ products, now: () => 5 }, readSeed())).toBe(0);
    expect(view.stateHash()).toBe(hash);
    expect(available()).toBe(3);
  });
});

describe('stock', () => {
  it('of the last units goes to as many orders as there are units, whoever asks at the same time', async () => {
    const { stock, available } = await setUp();
    const asks = Array.from({ length: 10 }, (_, n) =>
      stock.reserve({ orderId: orderOf(n), productId, quantity: 1 }, metadata),
    );
    const kinds = (await Promise.all(asks)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'held')).toHaveLength(3);
    expect(kinds.filter((kind) => kind === 'refused')).toHaveLength(7);
    expect(available()).toBe(0);
  });

  it('asked for twice by one order is held once, with the same answer', async () => {
    const { stock, available } = await setUp();
    const ask = { orderId: orderOf(1), productId, quantity: 2 };
    const answers = await Promise.all([stock.reserve(ask, metadata), stock.reserve(ask, metadata)]);
    const later = await stock.reserve(ask, metadata);
    for (const answer of [...answers, later]) {
      expect(answer).toMatchObject({ kind: 'held', hold: { quantity: 2, unitPriceMinor: 18_900 } });
    }
    expect(available()).toBe(1);
  });

  it('of an unknown product is refused', async () => {
    const { stock } = await setUp();
    expect(
      await stock.reserve({ orderId: orderOf(1), productId: 'none', quantity: 1 }, metadata),
    ).toMatchObject({ kind: 'refused', rejection: { kind: 'product-unknown' } });
  });

  it('given back is available again, once, and a repetition gets the same answer', async () => {
    const { stock, available } = await setUp();
    const ask = { orderId: orderOf(1), productId };
    await stock.reserve({ ...ask, quantity: 2 }, metadata);
    expect(await stock.release(ask, metadata)).toEqual({ kind: 'released', quantity: 2 });
    expect(await stock.release(ask, metadata)).toEqual({ kind: 'released', quantity: 2 });
    expect(available()).toBe(3);
    const never = { orderId: orderOf(2), productId };
    expect(await stock.release(never, metadata)).toEqual({ kind: 'released', quantity: 0 });
  });

  it('that expired can be held again by the same order, as often as it expires', async () => {
    const { stock, clock, expire, available } = await setUp();
    const ask = { orderId: orderOf(1), productId, quantity: 2 };
    for (let round = 0; round < 3; round += 1) {
      expect(await stock.reserve(ask, metadata)).toMatchObject({
        kind: 'held',
        hold: { expiresAt: clock.ms + HOLD_MS },
      });
      clock.ms += HOLD_MS;
      expect(await expire()).toBe(1);
      expect(available()).toBe(3);
    }
  });
});

describe('the end of an order', () => {
  it('paid: its units leave for good, and a hold past its time does not come back', async () => {
    const { stock, clock, expire, tell, available, products } = await setUp();
    const orderId = orderOf(1);
    await stock.reserve({ orderId, productId, quantity: 2 }, metadata);
    await tell(orderId, created(orderId, 2), paid(orderId));
    clock.ms += HOLD_MS;
    await expire();
    await expect
      .poll(() => {
        const { state } = products.load(`product-${productId}`);
        return state.status === 'listed' ? [state.onHand, state.held] : [];
      })
      .toEqual([1, 0]);
    expect(available()).toBe(1);
  });

  it('cancelled: its units are available again', async () => {
    const { stock, tell, available } = await setUp();
    const orderId = orderOf(1);
    await stock.reserve({ orderId, productId, quantity: 2 }, metadata);
    await tell(orderId, created(orderId, 2), cancelled(orderId));
    await expect.poll(available).toBe(3);
  });

  it('paid after its hold was sold to someone else: said loudly, nothing else waits behind it', async () => {
    const { stock, clock, expire, tell, available, lines } = await setUp();
    const [late, other] = [orderOf(1), orderOf(2)];
    await stock.reserve({ orderId: late, productId, quantity: 2 }, metadata);
    clock.ms += HOLD_MS;
    await expire();
    await stock.reserve({ orderId: other, productId, quantity: 2 }, metadata);
    await tell(late, created(late, 2), paid(late));
    await expect
      .poll(() => lines.map(({ message }) => message))
      .toContain('a paid order has no stock to commit');
    expect(available()).toBe(1);
  });
});

describe('what the reaction on orders is told', () => {
  it('comes to the same stock in any order, with any repetitions', { timeout: 60_000 }, async () => {
    const orders = [1, 2, 3].map(orderOf);
    const ends = orders.map((orderId, n) => (n === 1 ? cancelled(orderId) : paid(orderId)));
    const outcomes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(ends, { minLength: ends.length }),
        fc.array(fc.constantFrom(...ends), { maxLength: 6 }),
        async (order, repetitions) => {
          const { stock, view, products, orders: known, tell, log, lines } = await setUp();
          for (const orderId of orders) {
            await stock.reserve({ orderId, productId, quantity: 1 }, metadata);
            await tell(orderId, created(orderId));
          }
          const settle = createSettle({ stock, orders: known, log: quiet(lines), now: () => 2 });
          const { handle } = onOrder(settle, batchWindow);
          const told = [...order, ...repetitions].map((event, n) =>
            handle(recordedOf(event, n), { signal: new AbortController().signal, attempt: 1 }),
          );
          await Promise.all(told);
          const { state } = products.load(`product-${productId}`);
          outcomes.add(
            JSON.stringify([
              state.status === 'listed' && [state.onHand, state.held],
              view.get(productId)?.available,
              lines.map(({ message }) => message),
            ]),
          );
          await log.close();
        },
      ),
      { numRuns: 25 },
    );
    // Three units: two were sold, the third was given back.
    expect([...outcomes]).toEqual([JSON.stringify([[1, 0], 1, []])]);
  });
});

describe('expiry', () => {
  it('waits while the reaction on orders is stalled, lags or has lost its partitions', async () => {
    const { stock, clock, products, log } = await setUp();
    await stock.reserve({ orderId: orderOf(1), productId, quantity: 1 }, metadata);
    clock.ms += HOLD_MS;
    const healthy = log.health();
    const reaction = healthy.reactions[0];
    if (reaction === undefined) throw new Error('no reaction');
    const position = { topic: 't', partition: 0, offset: 0 };
    const stalled = { ...reaction, stalled: { position, attempt: 3, error: 'x' } };
    const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
    for (const sick of [stalled, { ...reaction, lag: 5_000 }, { ...reaction, joined: false }, undefined]) {
      const expire = createExpiry({
        products,
        orders: { get: () => undefined },
        health: () => ({ ...healthy, reactions: sick === undefined ? [] : [sick] }),
        log: quiet,
        now: () => clock.ms,
      });
      expect(await expire()).toBe(0);
    }
  });
});

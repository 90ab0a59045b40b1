import fc from 'fast-check';
import type { ProductEvent } from '@parley/contracts/events';
import { describe, expect, it } from 'vitest';
import {
  addProduct,
  addStock,
  commitStock,
  expireReservations,
  releaseStock,
  reserveStock,
  type Decision,
} from './decide.ts';
import { entriesOf, emptyIdMap, getId, setId } from './id-map.ts';
import {
  availableOf,
  evolve,
  FINISHED_ORDERS_MAX,
  finishedOf,
  initialProduct,
  type Product,
} from './product.ts';

const productId = 'aurora-headphones';
const orderA = '7b1f0f9e-5c3e-4f57-9a55-0d8b7f7d5a01';
const orderB = '7b1f0f9e-5c3e-4f57-9a55-0d8b7f7d5a02';
const holdMs = 900_000;
const details = {
  productId,
  name: 'Aurora headphones',
  description: 'Over-ear.',
  category: 'audio',
  priceMinor: 12_900,
  currency: 'EUR',
  addedAt: 1,
};

const given = (...events: readonly ProductEvent[]): Product => events.reduce(evolve, initialProduct);
const added: ProductEvent = { type: 'ProductAdded', data: details };
const stocked = (quantity: number): ProductEvent => ({
  type: 'StockAdded',
  data: { productId, quantity, addedAt: 1 },
});
const held = (orderId: string, quantity: number, reservedAt = 10): ProductEvent => ({
  type: 'StockReserved',
  data: {
    productId,
    orderId,
    quantity,
    unitPriceMinor: 12_900,
    currency: 'EUR',
    reservedAt,
    expiresAt: reservedAt + holdMs,
  },
});
const gone = (orderId: string, quantity: number, committedAt = 20): ProductEvent => ({
  type: 'StockCommitted',
  data: { productId, orderId, quantity, committedAt },
});
const back = (
  orderId: string,
  quantity: number,
  { reason, at }: { reason: 'ORDER_CANCELLED' | 'EXPIRED'; at: number },
): ProductEvent => ({
  type: 'StockReleased',
  data: { productId, orderId, quantity, reason, releasedAt: at },
});
const events = (...list: readonly ProductEvent[]): Decision => ({ kind: 'events', events: list });

describe('adding', () => {
  it('a product brings its first stock in the same commit', () => {
    expect(addProduct(given(), { details, initialStock: 5 })).toEqual(events(added, stocked(5)));
  });
  it('a price that GraphQL cannot carry never reaches the log', () => {
    const dear = { ...details, priceMinor: 2_147_483_648 };
    expect(() => addProduct(given(), { details: dear, initialStock: 0 })).toThrow('priceMinor');
  });
  it('a product that is listed is neither added nor stocked again', () => {
    expect(addProduct(given(added, stocked(5)), { details, initialStock: 5 })).toEqual(events());
  });
  it('stock of an unknown product is refused', () => {
    expect(addStock(given(), { quantity: 1, now: 1 })).toEqual({
      kind: 'refused',
      rejection: { kind: 'product-unknown' },
    });
  });
  it('a quantity that is not a positive integer never reaches the log', () => {
    for (const quantity of [0, -1, 1.5, Number.NaN]) {
      expect(() => addStock(given(added), { quantity, now: 1 })).toThrow(RangeError);
    }
  });
});

describe('reserving', () => {
  const reserve = (product: Product, quantity = 2, now = 10): Decision =>
    reserveStock(product, { orderId: orderA, quantity, now, holdMs });

  it('holds the quantity at the price of now', () => {
    expect(reserve(given(added, stocked(5)))).toEqual(events(held(orderA, 2)));
  });
  it('of a live hold again does nothing', () => {
    expect(reserve(given(added, stocked(2), held(orderA, 2)), 2, 11)).toEqual(events());
  });
  it('of another quantity under the same order id is refused with the quantity that is held', () => {
    expect(reserve(given(added, stocked(9), held(orderA, 3)))).toEqual({
      kind: 'refused',
      rejection: { kind: 'quantity-differs', held: 3 },
    });
  });
  it('more than is available is refused with what is', () => {
    expect(reserve(given(added, stocked(3), held(orderB, 2)))).toEqual({
      kind: 'refused',
      rejection: { kind: 'stock-short', available: 1 },
    });
  });
  it('of an unknown product is refused', () => {
    expect(reserve(given())).toEqual({ kind: 'refused', rejection: { kind: 'product-unknown' } });
  });
  it('renews a hold past its time, even when nothing else is available', () => {
    const now = 10 + holdMs;
    expect(reserve(given(added, stocked(2), held(orderA, 2)), 2, now)).toEqual(
      events(back(orderA, 2, { reason: 'EXPIRED', at: now }), held(orderA, 2, now)),
    );
  });
  it('renews an expired and released hold only when stock allows', () => {
    const expired = [added, stocked(2), held(orderA, 2), back(orderA, 2, { reason: 'EXPIRED', at: 30 })];
    expect(reserve(given(...expired), 2, 40)).toEqual(events(held(orderA, 2, 40)));
    expect(reserve(given(...expired, held(orderB, 1)), 2, 40)).toEqual({
      kind: 'refused',
      rejection: { kind: 'stock-short', available: 1 },
    });
  });
  it('for an order whose stock has left does nothing', () => {
    expect(reserve(given(added, stocked(9), held(orderA, 2), gone(orderA, 2)))).toEqual(events());
  });
  it('for a cancelled order is refused', () => {
    const cancelled = back(orderA, 2, { reason: 'ORDER_CANCELLED', at: 30 });
    expect(reserve(given(added, stocked(9), held(orderA, 2), cancelled))).toEqual({
      kind: 'refused',
      rejection: { kind: 'order-cancelled' },
    });
  });
});

describe('releasing and committing', () => {
  it('a release gives the held quantity back, once', () => {
    const before = given(added, stocked(5), held(orderA, 2));
    const released = back(orderA, 2, { reason: 'ORDER_CANCELLED', at: 30 });
    expect(releaseStock(before, { orderId: orderA, now: 30 })).toEqual(events(released));
    expect(releaseStock(evolve(before, released), { orderId: orderA, now: 31 })).toEqual(events());
  });
  it('a release of what was never held does nothing', () => {
    expect(releaseStock(given(), { orderId: orderA, now: 1 })).toEqual(events());
    expect(releaseStock(given(added), { orderId: orderA, now: 1 })).toEqual(events());
  });
  it('a commit takes the held quantity, once, also from a hold past its time', () => {
    const before = given(added, stocked(5), held(orderA, 2));
    const now = 11 + holdMs;
    expect(commitStock(before, { orderId: orderA, now })).toEqual(events(gone(orderA, 2, now)));
    expect(commitStock(evolve(before, gone(orderA, 2)), { orderId: orderA, now })).toEqual(events());
  });
  it('a commit after the hold was given back takes what is available, in one commit', () => {
    const expired = back(orderA, 2, { reason: 'EXPIRED', at: 30 });
    const decision = commitStock(given(added, stocked(2), held(orderA, 2), expired), {
      orderId: orderA,
      now: 40,
    });
    expect(decision).toMatchObject({ events: [{ type: 'StockReserved' }, { type: 'StockCommitted' }] });
  });
  it('a commit for an order that is not known takes nothing and says so', () => {
    const unknown = { kind: 'refused', rejection: { kind: 'hold-unknown' } };
    expect(commitStock(given(added, stocked(5)), { orderId: orderA, now: 1 })).toEqual(unknown);
  });
  it('a commit whose expired hold was sold to someone else is refused', () => {
    const expired = back(orderA, 2, { reason: 'EXPIRED', at: 30 });
    const product = given(added, stocked(2), held(orderA, 2), expired, held(orderB, 1));
    expect(commitStock(product, { orderId: orderA, now: 40 })).toEqual({
      kind: 'refused',
      rejection: { kind: 'stock-short', available: 1 },
    });
  });
});

describe('expiry', () => {
  const now = 10 + holdMs;
  it('releases what is past its time and may expire, at most as many as asked', () => {
    const product = given(added, stocked(9), held(orderA, 1), held(orderB, 1), held('later', 1, 11));
    const expire = (holdsMax: number, mayExpire = (): boolean => true): number => {
      const decision = expireReservations(product, { now, holdsMax, mayExpire });
      return decision.kind === 'events' ? decision.events.length : -1;
    };
    expect(expire(10)).toBe(2);
    expect(expire(1)).toBe(1);
    expect(expire(10, () => false)).toBe(0);
  });
});

describe('memory of one product', () => {
  it('keeps at most 10,000 finished orders and always knows the last 5,000', () => {
    let product = given(added, stocked(1_000_000));
    for (let index = 0; index < 25_000; index += 1) {
      product = evolve(evolve(product, held(`order-${index}`, 1)), gone(`order-${index}`, 1));
    }
    if (product.status !== 'listed') throw new Error('not listed');
    const { recent, older } = product.finished;
    expect(recent.size + older.size).toBeLessThanOrEqual(FINISHED_ORDERS_MAX);
    expect(product.holds.size).toBe(0);
    for (let index = 20_000; index < 25_000; index += 1) {
      expect(finishedOf(product, `order-${index}`)?.outcome).toBe('COMMITTED');
    }
    expect(finishedOf(product, 'order-0')).toBeUndefined();
  });
});

describe('properties', () => {
  const order = fc.integer({ min: 0, max: 5 }).map((n) => `order-${n}`);
  const command = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), quantity: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ kind: fc.constant('reserve' as const), order, quantity: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constant('release' as const), order }),
    fc.record({ kind: fc.constant('commit' as const), order }),
    fc.record({ kind: fc.constant('expire' as const), holdsMax: fc.integer({ min: 1, max: 3 }) }),
  );
  type Step = typeof command extends fc.Arbitrary<infer T> ? T : never;

  const decide = (product: Product, step: Step, now: number): Decision => {
    switch (step.kind) {
      case 'add':
        return addStock(product, { quantity: step.quantity, now });
      case 'reserve':
        return reserveStock(product, { orderId: step.order, quantity: step.quantity, now, holdMs: 7 });
      case 'release':
        return releaseStock(product, { orderId: step.order, now });
      case 'commit':
        return commitStock(product, { orderId: step.order, now });
      case 'expire':
        return expireReservations(product, { now, holdsMax: step.holdsMax, mayExpire: () => true });
    }
  };

  it('whatever is asked in whatever order: nothing is sold twice, each order leaves once, a repetition does nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(command, fc.integer({ min: 0, max: 5 })), { maxLength: 60 }), (steps) => {
        let product = given(added, stocked(6));
        let now = 100;
        let unitsAdded = 6;
        const left = new Map<string, number>();
        for (const [step, pause] of steps) {
          now += pause;
          const decision = decide(product, step, now);
          if (decision.kind === 'refused') continue;
          for (const event of decision.events) {
            if (event.type === 'StockAdded') unitsAdded += event.data.quantity;
            if (event.type === 'StockCommitted') {
              expect(left.has(event.data.orderId)).toBe(false);
              left.set(event.data.orderId, event.data.quantity);
            }
            product = evolve(product, event);
            if (product.status !== 'listed') throw new Error('not listed');
            expect(availableOf(product)).toBeGreaterThanOrEqual(0);
          }
          if (product.status !== 'listed') throw new Error('not listed');
          const unitsHeld = [...entriesOf(product.holds)].reduce((sum, [, hold]) => sum + hold.quantity, 0);
          const unitsLeft = [...left.values()].reduce((sum, quantity) => sum + quantity, 0);
          expect(product.held).toBe(unitsHeld);
          expect(availableOf(product) + unitsHeld + unitsLeft).toBe(unitsAdded);
          if (step.kind !== 'add' && step.kind !== 'expire') {
            expect(decide(product, step, now)).toEqual(events());
          }
        }
      }),
      { seed: 20260101, numRuns: 500 },
    );
  });

  it('the map of ids answers as a Map does', () => {
    const operations = fc.array(fc.tuple(fc.integer({ min: 0, max: 3_000 }), fc.nat()), { maxLength: 400 });
    fc.assert(
      fc.property(operations, (pairs) => {
        const expected = new Map<string, number>();
        let map = setId<number>(emptyIdMap, 'first', 0);
        expected.set('first', 0);
        for (const [key, value] of pairs) {
          map = setId(map, `id-${key}`, value);
          expected.set(`id-${key}`, value);
        }
        expect(map.size).toBe(expected.size);
        expect(new Map(entriesOf(map))).toEqual(expected);
        for (const [key, value] of expected) expect(getId(map, key)).toBe(value);
      }),
      { seed: 20260102, numRuns: 100 },
    );
  });
});

import type { OrderEvent } from '@parley/contracts/events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cancel,
  DISPATCH_PROMISE_MS,
  place,
  recordPaid,
  recordShipped,
  startPayment,
  type Decided,
} from './decide.ts';
import { HOLD_MARGIN_MS, nextStep } from './fulfilment.ts';
import { evolve, noOrder, type OrderState } from './order.ts';

const order = { orderId: 'o-1', customerId: 'alice', productId: 'p-1', quantity: 2 };
const shipment = { shipmentId: 's-1', carrier: 'c', trackingNumber: 't' };
const dispatched = { orderId: order.orderId, ...shipment };
const then = (state: OrderState, decided: Decided): OrderState => {
  if (decided.kind !== 'events') throw new Error(`refused: ${decided.rejection.kind}`);
  return decided.events.reduce(evolve, state);
};
const created = then(noOrder, place(noOrder, { ...order, nowMs: 1 }));
const hold = { unitPriceMinor: 500, currency: 'EUR', reservedUntilMs: 1_000_000, nowMs: 2 };
const pending = then(created, startPayment(created, hold));
const paid = then(pending, recordPaid(pending, { paymentId: 'pay-1', nowMs: 3 }));
const shipped = then(paid, recordShipped(paid, { ...dispatched, nowMs: 4 }));
const none = { kind: 'events', events: [] };

describe('an order', () => {
  it('goes from CREATED to SHIPPED with everything it learnt on the way', () => {
    expect(shipped).toEqual({
      status: 'SHIPPED',
      placed: { ...order, channel: 'UNKNOWN', createdAtMs: 1, dispatchByMs: 1 + DISPATCH_PROMISE_MS },
      due: { amountMinor: 1000, currency: 'EUR', reservedUntilMs: 1_000_000 },
      paid: { paymentId: 'pay-1', paidAtMs: 3 },
      shipped: { ...shipment, shippedAtMs: 4 },
    });
  });

  it('placed again by the same request is the same order, and by another request is refused', () => {
    expect(place(shipped, { ...order, nowMs: 9 })).toEqual(none);
    expect(place(shipped, { ...order, channel: 'UNKNOWN', nowMs: 9 })).toEqual(none);
    for (const other of [{ quantity: 3 }, { productId: 'p-2' }, { channel: 'MOBILE' as const }])
      expect(place(created, { ...order, ...other, nowMs: 9 })).toEqual({
        kind: 'refused',
        rejection: { kind: 'other-request' },
      });
  });

  it('keeps the first price when its hold is renewed at another', () => {
    const renewed = then(
      pending,
      startPayment(pending, { ...hold, unitPriceMinor: 900, reservedUntilMs: 2_000_000 }),
    );
    expect(renewed).toMatchObject({ due: { amountMinor: 1000, reservedUntilMs: 2_000_000 } });
    expect(startPayment(renewed, hold)).toEqual(none);
  });

  it('is cancelled before payment and never after', () => {
    const reason = { reason: 'STOCK_SHORT', detail: 'd', nowMs: 5, heldUntilMs: undefined } as const;
    const cancelled = then(created, cancel(created, reason));
    expect(cancelled).toMatchObject({ status: 'CANCELLED', reason: 'STOCK_SHORT' });
    expect(cancel(cancelled, reason)).toEqual(none);
    for (const state of [paid, shipped]) expect(cancel(state, reason)).toMatchObject({ kind: 'refused' });
  });

  it('that has got a hold meanwhile is not cancelled by an older word about the stock', () => {
    const outdated = { kind: 'refused', rejection: { kind: 'outdated' } };
    const short = { reason: 'STOCK_SHORT', detail: 'd', nowMs: 5 } as const;
    expect(cancel(pending, { ...short, heldUntilMs: undefined })).toEqual(outdated);
    expect(cancel(pending, { ...short, heldUntilMs: 999_999 })).toEqual(outdated);
    expect(cancel(pending, { ...short, heldUntilMs: 1_000_000 })).toMatchObject({
      events: [{ type: 'OrderCancelled' }],
    });
  });

  it('is not shipped before it is paid', () => {
    for (const state of [created, pending]) {
      expect(recordShipped(state, { ...dispatched, nowMs: 5 })).toMatchObject({ kind: 'refused' });
    }
  });

  it('tells of a shipment that it can never be shipped by, and is what it was before', () => {
    const cancelled = then(pending, cancel(pending, { reason: 'PAYMENT_DECLINED', detail: 'd', nowMs: 5 }));
    const other = { ...dispatched, shipmentId: 's-2', nowMs: 6 };
    for (const [state, reason] of [
      [noOrder, 'ORDER_UNKNOWN'],
      [cancelled, 'ORDER_CANCELLED'],
      [shipped, 'ORDER_SHIPPED_OTHERWISE'],
    ] as const) {
      const decided = recordShipped(state, other);
      expect(decided).toEqual({
        kind: 'events',
        events: [
          {
            type: 'ShipmentUnmatched',
            data: { ...dispatched, shipmentId: 's-2', reason, recordedAt: 6 },
          },
        ],
      });
      expect(then(state, decided)).toEqual(state);
    }
    expect(recordShipped(shipped, { ...dispatched, nowMs: 6 })).toEqual(none);
  });
});

describe('the process manager', () => {
  it('reserves, then pays, then waits', () => {
    expect([created, pending, paid, shipped].map((state) => nextStep(state, 10).kind)).toEqual([
      'reserve',
      'pay',
      'none',
      'none',
    ]);
  });

  it('renews a hold that is about to end before it pays', () => {
    expect(nextStep(pending, hold.reservedUntilMs - HOLD_MARGIN_MS).kind).toBe('pay');
    expect(nextStep(pending, hold.reservedUntilMs - HOLD_MARGIN_MS + 1).kind).toBe('reserve');
  });
});

describe('whatever commands come in whatever order', () => {
  const command = fc.constantFrom<(state: OrderState, nowMs: number) => Decided>(
    (state, nowMs) => place(state, { ...order, nowMs }),
    (state, nowMs) => startPayment(state, { ...hold, reservedUntilMs: nowMs * 1000, nowMs }),
    (state, nowMs) => recordPaid(state, { paymentId: 'pay-1', nowMs }),
    (state, nowMs) => recordShipped(state, { ...dispatched, nowMs }),
    (state, nowMs) => cancel(state, { reason: 'PAYMENT_DECLINED', detail: 'd', nowMs }),
  );

  it('an order is paid at most once, shipped only when paid, and never both cancelled and paid', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        let state: OrderState = noOrder;
        const log: OrderEvent[] = [];
        commands.forEach((decide, nowMs) => {
          const decided = decide(state, nowMs);
          if (decided.kind !== 'events') return;
          log.push(...decided.events);
          state = decided.events.reduce(evolve, state);
        });
        const count = (type: OrderEvent['type']): number => log.filter((event) => event.type === type).length;
        for (const type of ['OrderCreated', 'OrderPaid', 'OrderShipped', 'OrderCancelled'] as const) {
          expect(count(type)).toBeLessThanOrEqual(1);
        }
        expect(count('OrderPaid') + count('OrderCancelled')).toBeLessThanOrEqual(1);
        expect(count('OrderShipped')).toBeLessThanOrEqual(count('OrderPaid'));
        expect(log.reduce(evolve, noOrder)).toEqual(state);
      }),
      { seed: 20_261_124 },
    );
  });
});

import type { PaymentEvent } from '@parley/contracts/events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AMOUNT_LIMIT_MINOR,
  requestPayment,
  voidPayment,
  type PaymentDecision,
  type RequestPayment,
} from './decide.ts';
import { evolve, noPayment, type PaymentState } from './payment.ts';

const command: RequestPayment = {
  paymentId: '00000000-0000-4000-8000-0000000000aa',
  orderId: '00000000-0000-4000-8000-000000000001',
  customerId: 'alice',
  amountMinor: 1250,
  currency: 'EUR',
  nowMs: 1_000,
};
const { nowMs, ...terms } = command;
const initiated: PaymentEvent = { type: 'PaymentInitiated', data: { ...terms, initiatedAt: nowMs } };
const completed: PaymentEvent = { type: 'PaymentCompleted', data: { ...terms, completedAt: nowMs } };

const { orderId } = command;
const voided: PaymentEvent = { type: 'PaymentVoided', data: { orderId, voidedAt: nowMs } };

const fold = (events: readonly PaymentEvent[], from: PaymentState = noPayment): PaymentState =>
  events.reduce(evolve, from);
const given = (...events: PaymentEvent[]) => ({
  when: (asked: RequestPayment): PaymentDecision => requestPayment(fold(events), asked),
});

describe('requestPayment', () => {
  it('initiates and completes in one commit', () => {
    expect(given().when(command)).toEqual({ kind: 'events', events: [initiated, completed] });
  });

  it('declines for good above the limit, and not at the limit', () => {
    const over = given().when({ ...command, amountMinor: AMOUNT_LIMIT_MINOR + 1 });
    expect(over).toMatchObject({
      events: [
        { type: 'PaymentInitiated' },
        { type: 'PaymentFailed', data: { reason: 'AMOUNT_LIMIT_EXCEEDED' } },
      ],
    });
    const at = given().when({ ...command, amountMinor: AMOUNT_LIMIT_MINOR });
    expect(at).toMatchObject({ events: [{ type: 'PaymentInitiated' }, { type: 'PaymentCompleted' }] });
  });

  it('adds nothing when repeated on the same terms, whatever the clock says', () => {
    expect(given(initiated, completed).when({ ...command, nowMs: 9_000 })).toEqual({
      kind: 'events',
      events: [],
    });
  });

  it('settles a payment that was initiated only', () => {
    expect(given(initiated).when(command)).toEqual({ kind: 'events', events: [completed] });
  });

  it.each([
    [{ amountMinor: 1251 }, ['amountMinor']],
    [{ customerId: 'bob' }, ['customerId']],
    [{ currency: 'USD', customerId: 'bob' }, ['customerId', 'currency']],
  ])('refuses other terms for the same order: %j', (change, fields) => {
    expect(given(initiated, completed).when({ ...command, ...change })).toEqual({
      kind: 'refused',
      rejection: { type: 'TermsDiffer', orderId: command.orderId, fields },
    });
  });

  it('settles an order exactly once, whatever requests arrive in whatever order', () => {
    const request = fc.record({
      paymentId: fc.constant(command.paymentId),
      orderId: fc.constant(command.orderId),
      customerId: fc.constantFrom('alice', 'bob'),
      amountMinor: fc.constantFrom(0, 1250, AMOUNT_LIMIT_MINOR, AMOUNT_LIMIT_MINOR + 1),
      currency: fc.constantFrom('EUR', 'USD'),
      nowMs: fc.integer({ min: 1, max: 1_000_000 }),
    });
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 12 }), (requests) => {
        const events: PaymentEvent[] = [];
        for (const asked of requests) {
          const decision = requestPayment(fold(events), asked);
          if (decision.kind === 'events') events.push(...decision.events);
        }
        expect(events).toHaveLength(2);
        expect(events[0]).toMatchObject({
          type: 'PaymentInitiated',
          data: { amountMinor: requests[0]?.amountMinor, customerId: requests[0]?.customerId },
        });
      }),
      { seed: 4101 },
    );
  });
});

describe('voidPayment', () => {
  const when = (...events: PaymentEvent[]) => voidPayment(fold(events), { orderId, nowMs });

  it('leaves an order without a payment without one for ever', () => {
    expect(when()).toEqual({ kind: 'events', events: [voided] });
    expect(given(voided).when(command)).toEqual({
      kind: 'refused',
      rejection: { type: 'PaymentIsVoid', orderId },
    });
  });

  it.each([[[voided]], [[initiated, completed]]])('adds nothing to what is settled: %j', (events) => {
    expect(when(...events)).toEqual({ kind: 'events', events: [] });
  });

  it('settles a payment that was initiated only, and does not take it back', () => {
    expect(when(initiated)).toEqual({ kind: 'events', events: [completed] });
  });
});

describe('evolve', () => {
  it('throws on streams that decide never makes', () => {
    expect(() => fold([completed])).toThrow('PaymentCompleted in a payment that is NONE');
    expect(() => fold([initiated, initiated])).toThrow('PaymentInitiated in a payment that is PENDING');
    expect(() => fold([initiated, voided])).toThrow('PaymentVoided in a payment that is PENDING');
    expect(() => fold([voided, completed])).toThrow('PaymentCompleted in a payment that is VOIDED');
    expect(() => fold([initiated, completed, completed])).toThrow(
      'PaymentCompleted in a payment that is COMPLETED',
    );
  });
});

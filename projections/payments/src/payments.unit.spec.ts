import type { PaymentEvent } from '@parley/contracts/events';
import type { RecordedEvent } from '@parley/event-log';
import { describe, expect, it } from 'vitest';
import { foldPayment, payments, type PaymentRow } from './payments.ts';

const terms = {
  paymentId: '00000000-0000-4000-8000-0000000000aa',
  orderId: '00000000-0000-4000-8000-000000000001',
  customerId: 'alice',
  amountMinor: 1250,
  currency: 'EUR',
};
const recorded = (event: PaymentEvent): RecordedEvent<PaymentEvent> => ({
  event,
  streamId: `payment-${terms.orderId}`,
  version: 1,
  position: { topic: 'parley.payment.events', partition: 0, offset: 0 },
  eventId: 'e',
  commitId: 'c',
  recordedAtMs: 0,
  correlationId: 'k',
  causationId: undefined,
  traceparent: undefined,
});
const initiated = recorded({ type: 'PaymentInitiated', data: { ...terms, initiatedAt: 1 } });
const completed = recorded({ type: 'PaymentCompleted', data: { ...terms, completedAt: 2 } });
const failed = recorded({
  type: 'PaymentFailed',
  data: { ...terms, reason: 'AMOUNT_LIMIT_EXCEEDED', failedAt: 3 },
});
const fold = (...events: readonly RecordedEvent<PaymentEvent>[]): PaymentRow | undefined =>
  events.reduce<PaymentRow | undefined>(foldPayment, undefined);

describe('payments', () => {
  it('are keyed by order id', () => {
    expect(payments.key?.(initiated)).toBe(terms.orderId);
  });

  it('are PENDING until settled, with every attribute of a payment', () => {
    expect(fold(initiated)).toEqual({
      ...terms,
      status: 'PENDING',
      declineReason: undefined,
      createdAtMs: 1,
      updatedAtMs: 1,
    });
  });

  it('are COMPLETED or FAILED with a reason once settled', () => {
    expect(fold(initiated, completed)).toMatchObject({ status: 'COMPLETED', createdAtMs: 1, updatedAtMs: 2 });
    expect(fold(initiated, failed)).toMatchObject({
      status: 'FAILED',
      declineReason: 'AMOUNT_LIMIT_EXCEEDED',
      createdAtMs: 1,
      updatedAtMs: 3,
    });
  });

  it('never settle what was not initiated', () => {
    expect(() => fold(completed)).toThrow('never initiated');
  });
});

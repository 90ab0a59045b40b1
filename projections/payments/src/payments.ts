import type { DeclineReason, PaymentEvent } from '@parley/contracts/events';
import { paymentEvents } from '@parley/contracts/topics';
import type { ProjectionDefinition, RecordedEvent } from '@parley/event-log';

/** The payment of one order, keyed by order id. Times in milliseconds since the epoch. */
export interface PaymentRow {
  readonly paymentId: string;
  readonly orderId: string;
  readonly customerId: string;
  readonly amountMinor: number;
  /** ISO 4217. */
  readonly currency: string;
  readonly status: 'PENDING' | 'COMPLETED' | 'FAILED';
  readonly declineReason: DeclineReason | undefined;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

const settled = (
  row: PaymentRow | undefined,
  change: Pick<PaymentRow, 'status' | 'declineReason' | 'updatedAtMs'>,
): PaymentRow => {
  if (!row) throw new Error(`a payment is ${change.status} that was never initiated`);
  return { ...row, ...change };
};

/** Pure; throws on a stream that the payment service never makes. */
export const foldPayment = (
  row: PaymentRow | undefined,
  { event }: RecordedEvent<PaymentEvent>,
): PaymentRow | undefined => {
  switch (event.type) {
    case 'PaymentInitiated': {
      const { paymentId, orderId, customerId, amountMinor, currency, initiatedAt } = event.data;
      return {
        paymentId,
        orderId,
        customerId,
        amountMinor,
        currency,
        status: 'PENDING',
        declineReason: undefined,
        createdAtMs: initiatedAt,
        updatedAtMs: initiatedAt,
      };
    }
    case 'PaymentCompleted':
      return settled(row, {
        status: 'COMPLETED',
        declineReason: undefined,
        updatedAtMs: event.data.completedAt,
      });
    case 'PaymentFailed':
      return settled(row, {
        status: 'FAILED',
        declineReason: event.data.reason,
        updatedAtMs: event.data.failedAt,
      });
    case 'PaymentVoided':
      return row; // there is none and never will be
  }
};

/** Payments by order id. */
export const payments: ProjectionDefinition<PaymentRow, PaymentEvent> = {
  name: 'payments',
  topic: paymentEvents,
  key: ({ event }) => event.data.orderId,
  fold: foldPayment,
  module: import.meta.url,
};

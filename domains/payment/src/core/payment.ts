import type { DeclineReason, PaymentEvent } from '@parley/contracts/events';

/** What was asked for. It never changes: one order has one payment of one amount by one customer. */
export interface PaymentTerms {
  readonly paymentId: string;
  readonly orderId: string;
  readonly customerId: string;
  readonly amountMinor: number;
  /** ISO 4217. */
  readonly currency: string;
  readonly initiatedAtMs: number;
}

/** The payment of one order. */
export type PaymentState =
  | { readonly status: 'NONE' }
  | { readonly status: 'PENDING'; readonly terms: PaymentTerms }
  | { readonly status: 'COMPLETED'; readonly terms: PaymentTerms; readonly completedAtMs: number }
  | {
      readonly status: 'FAILED';
      readonly terms: PaymentTerms;
      readonly reason: DeclineReason;
      readonly failedAtMs: number;
    }
  /** There is no payment and never will be. */
  | { readonly status: 'VOIDED' };

export const noPayment: PaymentState = { status: 'NONE' };

const termsOf = (state: PaymentState, event: PaymentEvent): PaymentTerms => {
  if (state.status !== 'PENDING') throw new Error(`${event.type} in a payment that is ${state.status}`);
  return state.terms;
};

/** Folds one event. Throws when the events contradict each other: decide never makes such a stream. */
export const evolve = (state: PaymentState, event: PaymentEvent): PaymentState => {
  switch (event.type) {
    case 'PaymentInitiated': {
      if (state.status !== 'NONE') throw new Error(`${event.type} in a payment that is ${state.status}`);
      const { paymentId, orderId, customerId, amountMinor, currency, initiatedAt } = event.data;
      return {
        status: 'PENDING',
        terms: { paymentId, orderId, customerId, amountMinor, currency, initiatedAtMs: initiatedAt },
      };
    }
    case 'PaymentCompleted':
      return {
        status: 'COMPLETED',
        terms: termsOf(state, event),
        completedAtMs: event.data.completedAt,
      };
    case 'PaymentFailed':
      return {
        status: 'FAILED',
        terms: termsOf(state, event),
        reason: event.data.reason,
        failedAtMs: event.data.failedAt,
      };
    case 'PaymentVoided':
      if (state.status !== 'NONE') throw new Error(`${event.type} in a payment that is ${state.status}`);
      return { status: 'VOIDED' };
  }
};

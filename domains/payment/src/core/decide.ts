import type { PaymentEvent } from '@parley/contracts/events';
import type { PaymentState, PaymentTerms } from './payment.ts';

/** The largest amount that is not declined, in minor units of any currency. */
export const AMOUNT_LIMIT_MINOR = 1_000_000;

/** Pay for an order. Ids and the clock arrive with the command. */
export interface RequestPayment {
  readonly paymentId: string;
  readonly orderId: string;
  readonly customerId: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly nowMs: number;
}

/** Give up the payment of an order. */
export interface VoidPayment {
  readonly orderId: string;
  readonly nowMs: number;
}

/** The order already has a payment on other terms. Final: the same request is refused for ever. */
export interface TermsDiffer {
  readonly type: 'TermsDiffer';
  readonly orderId: string;
  /** The terms that differ. */
  readonly fields: readonly ('customerId' | 'amountMinor' | 'currency')[];
}

/** The order was given up before it was paid. Final. */
export interface PaymentIsVoid {
  readonly type: 'PaymentIsVoid';
  readonly orderId: string;
}

export type Rejection = TermsDiffer | PaymentIsVoid;

/** Structurally the event log's Decision. */
export type PaymentDecision =
  | { readonly kind: 'events'; readonly events: readonly PaymentEvent[] }
  | { readonly kind: 'refused'; readonly rejection: Rejection };

const comparedFields = ['customerId', 'amountMinor', 'currency'] as const;

const settle = (terms: PaymentTerms, nowMs: number): PaymentEvent => {
  const { paymentId, orderId, customerId, amountMinor, currency } = terms;
  const common = { paymentId, orderId, customerId, amountMinor, currency };
  return amountMinor > AMOUNT_LIMIT_MINOR
    ? { type: 'PaymentFailed', data: { ...common, reason: 'AMOUNT_LIMIT_EXCEEDED', failedAt: nowMs } }
    : { type: 'PaymentCompleted', data: { ...common, completedAt: nowMs } };
};

/**
 * Initiates and settles in one commit, so nobody ever sees an order half paid. A repetition on the same terms adds
 * nothing; other terms for the same order are refused.
 */
export const requestPayment = (state: PaymentState, command: RequestPayment): PaymentDecision => {
  if (state.status === 'NONE') {
    const { nowMs, ...asked } = command;
    const terms: PaymentTerms = { ...asked, initiatedAtMs: nowMs };
    return {
      kind: 'events',
      events: [{ type: 'PaymentInitiated', data: { ...asked, initiatedAt: nowMs } }, settle(terms, nowMs)],
    };
  }
  if (state.status === 'VOIDED') {
    return { kind: 'refused', rejection: { type: 'PaymentIsVoid', orderId: command.orderId } };
  }
  const fields = comparedFields.filter((field) => state.terms[field] !== command[field]);
  if (fields.length > 0) {
    return { kind: 'refused', rejection: { type: 'TermsDiffer', orderId: command.orderId, fields } };
  }
  return { kind: 'events', events: state.status === 'PENDING' ? [settle(state.terms, command.nowMs)] : [] };
};

/**
 * An order without a payment never gets one. What was settled before stays, and what was begun is settled: the caller
 * learns of it. As both go through the stream's log, a payment that is under way anywhere either comes first or is
 * refused.
 */
export const voidPayment = (
  state: PaymentState,
  { orderId, nowMs }: VoidPayment,
): { readonly kind: 'events'; readonly events: readonly PaymentEvent[] } => {
  switch (state.status) {
    case 'NONE':
      return { kind: 'events', events: [{ type: 'PaymentVoided', data: { orderId, voidedAt: nowMs } }] };
    case 'PENDING':
      return { kind: 'events', events: [settle(state.terms, nowMs)] };
    case 'COMPLETED':
    case 'FAILED':
    case 'VOIDED':
      return { kind: 'events', events: [] };
  }
};

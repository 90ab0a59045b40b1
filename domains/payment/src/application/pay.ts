import type { PaymentEvent } from '@parley/contracts/events';
import type { PaymentRequest } from '@parley/contracts/rest';
import { paymentEvents } from '@parley/contracts/topics';
import {
  deriveId,
  type AggregateDefinition,
  type Aggregates,
  type CommandMetadata,
  type CommandOutcome,
} from '@parley/event-log';
import { requestPayment, voidPayment, type Rejection } from '../core/decide.ts';
import { evolve, noPayment, type PaymentState } from '../core/payment.ts';

export const paymentAggregate: AggregateDefinition<PaymentState, PaymentEvent> = {
  name: 'payment',
  topic: paymentEvents,
  initial: noPayment,
  evolve,
  module: import.meta.url,
};

/** The stream of one order's payment. */
export const streamOf = (orderId: string): string => `payment-${orderId}`;

/** A payment that ended one way or the other. */
export type SettledPayment = Extract<PaymentState, { status: 'COMPLETED' | 'FAILED' }>;

/** Why the log did not confirm the payment. All but `rejected` may be tried again with the same request. */
export type LogFailure = Extract<
  CommandOutcome<PaymentState, Rejection>,
  { kind: 'conflict' | 'rejected' | 'unavailable' | 'unknown' }
>;

export type PayOutcome =
  | { readonly kind: 'settled'; readonly payment: SettledPayment }
  | { readonly kind: 'refused'; readonly rejection: Rejection }
  | { readonly kind: 'failed'; readonly failure: LogFailure };

const settledOf = (state: PaymentState): SettledPayment => {
  if (state.status === 'COMPLETED' || state.status === 'FAILED') return state;
  throw new Error(`the log confirmed a payment that is ${state.status}`);
};

export type VoidOutcome =
  | { readonly kind: 'voided' }
  | { readonly kind: 'settled'; readonly payment: SettledPayment }
  | { readonly kind: 'failed'; readonly failure: LogFailure };

/** Pays for an order. */
export type Pay = (request: PaymentRequest, metadata: CommandMetadata) => Promise<PayOutcome>;

/** Gives up the payment of an order, if it has none. */
export type Void = (orderId: string, metadata: CommandMetadata) => Promise<VoidOutcome>;

interface Deps {
  readonly payments: Pick<Aggregates<PaymentState, PaymentEvent>, 'execute'>;
  readonly now: () => number;
}

/**
 * Settled at most once per order: the payment's id is derived from the order's, the command's id from the terms, and
 * the stream's state refuses other terms. Resolves after the outcome was read back from the log.
 */
export const createPay =
  (deps: Deps): Pay =>
  async ({ orderId, customerId, amount }, metadata) => {
    const { amountMinor, currency } = amount;
    const command = {
      paymentId: deriveId('payment', orderId),
      orderId,
      customerId,
      amountMinor,
      currency,
      nowMs: deps.now(),
    };
    const outcome = await deps.payments.execute({
      streamId: streamOf(orderId),
      commandId: deriveId('request-payment', orderId, customerId, String(amountMinor), currency),
      decide: (state) => requestPayment(state, command),
      metadata,
    });
    switch (outcome.kind) {
      case 'accepted':
      case 'duplicate':
      case 'unchanged':
        return { kind: 'settled', payment: settledOf(outcome.state) };
      case 'refused':
        return { kind: 'refused', rejection: outcome.rejection };
      case 'conflict':
      case 'rejected':
      case 'unavailable':
      case 'unknown':
        return { kind: 'failed', failure: outcome };
    }
  };

/** Resolves after the outcome was read back from the log: behind `voided` no payment of the order can be recorded. */
export const createVoid =
  (deps: Deps): Void =>
  async (orderId, metadata) => {
    const outcome = await deps.payments.execute<never>({
      streamId: streamOf(orderId),
      commandId: deriveId('void-payment', orderId),
      decide: (state) => voidPayment(state, { orderId, nowMs: deps.now() }),
      metadata,
    });
    switch (outcome.kind) {
      case 'accepted':
      case 'duplicate':
      case 'unchanged':
        return outcome.state.status === 'VOIDED'
          ? { kind: 'voided' }
          : { kind: 'settled', payment: settledOf(outcome.state) };
      case 'refused':
        return outcome.rejection;
      case 'conflict':
      case 'rejected':
      case 'unavailable':
      case 'unknown':
        return { kind: 'failed', failure: outcome };
    }
  };

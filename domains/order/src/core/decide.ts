import type { CancellationReason, OrderChannel, OrderEvent, UnmatchedReason } from '@parley/contracts/events';
import type { OrderState } from './order.ts';

/** Why a command is refused; the state says what stood in its way. */
export type Rejection =
  /** The order exists and says something else: the caller used one key for two requests. */
  | { readonly kind: 'other-request' }
  /** The command does not fit how far the order is. */
  | { readonly kind: 'wrong-status'; readonly status: OrderState['status'] }
  /** The order has got a hold since the command was decided on: it no longer tells anything about the order. */
  | { readonly kind: 'outdated' };

export type Decided =
  | { readonly kind: 'events'; readonly events: readonly OrderEvent[] }
  | { readonly kind: 'refused'; readonly rejection: Rejection };

const events = (...made: readonly OrderEvent[]): Decided => ({ kind: 'events', events: made });
const wrongStatus = ({ status }: OrderState): Decided => ({
  kind: 'refused',
  rejection: { kind: 'wrong-status', status },
});

export interface PlaceOrder {
  readonly orderId: string;
  readonly customerId: string;
  readonly productId: string;
  readonly quantity: number;
  /** Where it came from. Part of the request like all else: another channel is another request. Default: UNKNOWN. */
  readonly channel?: OrderChannel | undefined;
  readonly nowMs: number;
}

/** An order is promised to be dispatched within two days. */
export const DISPATCH_PROMISE_MS = 48 * 60 * 60 * 1000;

/** Nothing to do when the same request was accepted before. */
export const place = (state: OrderState, command: PlaceOrder): Decided => {
  const { orderId, customerId, productId, quantity, channel = 'UNKNOWN', nowMs } = command;
  if (state.status === 'NONE') {
    const dispatchBy = nowMs + DISPATCH_PROMISE_MS;
    return events({
      type: 'OrderCreated',
      data: { orderId, customerId, productId, quantity, createdAt: nowMs, channel, dispatchBy },
    });
  }
  const { placed } = state;
  const same =
    placed.customerId === customerId &&
    placed.productId === productId &&
    placed.quantity === quantity &&
    placed.channel === channel;
  return same ? events() : { kind: 'refused', rejection: { kind: 'other-request' } };
};

export interface StartPayment {
  readonly unitPriceMinor: number;
  readonly currency: string;
  readonly reservedUntilMs: number;
  readonly nowMs: number;
}

/** Stock is held: payment is due. On a pending order it records a hold that lasts longer, at the first price. */
export const startPayment = (state: OrderState, command: StartPayment): Decided => {
  const { unitPriceMinor, currency, reservedUntilMs, nowMs } = command;
  const started = (
    orderId: string,
    terms: { unitPriceMinor: number; amountMinor: number; currency: string },
  ) =>
    events({
      type: 'PaymentStarted',
      data: { orderId, ...terms, reservedUntil: reservedUntilMs, startedAt: nowMs },
    });
  if (state.status === 'CREATED') {
    const { orderId, quantity } = state.placed;
    return started(orderId, { unitPriceMinor, amountMinor: unitPriceMinor * quantity, currency });
  }
  if (state.status !== 'PAYMENT_PENDING') return wrongStatus(state);
  if (reservedUntilMs <= state.due.reservedUntilMs) return events();
  const { amountMinor } = state.due;
  const first = {
    unitPriceMinor: amountMinor / state.placed.quantity,
    amountMinor,
    currency: state.due.currency,
  };
  return started(state.placed.orderId, first);
};

/** Nothing to do when the order is paid already. */
export const recordPaid = (
  state: OrderState,
  command: { readonly paymentId: string; readonly nowMs: number },
): Decided => {
  if (state.status === 'PAID' || state.status === 'SHIPPED') return events();
  if (state.status !== 'PAYMENT_PENDING') return wrongStatus(state);
  const { orderId } = state.placed;
  return events({
    type: 'OrderPaid',
    data: { orderId, paymentId: command.paymentId, paidAt: command.nowMs },
  });
};

export interface RecordShipped {
  /** The order that the shipment names: there need not be one. */
  readonly orderId: string;
  readonly shipmentId: string;
  readonly carrier: string;
  readonly trackingNumber: string;
  readonly nowMs: number;
}

/**
 * Nothing to do when the order is shipped by this shipment already; refused (`wrong-status`) while the order may still
 * become paid. A shipment that no order can be shipped by is a fact of its own, ShipmentUnmatched: refusing it for ever
 * would keep waiting whatever comes behind it. That the order is unknown is decided like everything else, on the version
 * of the stream: if this instance has not read the order yet, the append loses and is decided again on what it has read.
 */
export const recordShipped = (state: OrderState, command: RecordShipped): Decided => {
  const { nowMs, ...shipment } = command;
  const unmatched = (reason: UnmatchedReason): Decided =>
    events({ type: 'ShipmentUnmatched', data: { ...shipment, reason, recordedAt: nowMs } });
  switch (state.status) {
    case 'PAID':
      return events({ type: 'OrderShipped', data: { ...shipment, shippedAt: nowMs } });
    case 'SHIPPED':
      return state.shipped.shipmentId === command.shipmentId
        ? events()
        : unmatched('ORDER_SHIPPED_OTHERWISE');
    case 'NONE':
      return unmatched('ORDER_UNKNOWN');
    case 'CANCELLED':
      return unmatched('ORDER_CANCELLED');
    case 'CREATED':
    case 'PAYMENT_PENDING':
      return wrongStatus(state);
  }
};

/** Why an order is given up. Payment's word is final; product's holds for the hold that it was said about. */
export type Cancel = { readonly detail: string; readonly nowMs: number } & (
  | { readonly reason: Extract<CancellationReason, 'PAYMENT_DECLINED'> }
  | {
      readonly reason: Exclude<CancellationReason, 'PAYMENT_DECLINED'>;
      /** Until when the order had its stock held as it asked product; undefined: it had no hold yet. */
      readonly heldUntilMs: number | undefined;
    }
);

/**
 * Nothing to do when the order is cancelled already; a paid order is never cancelled. A stock that was short is no
 * reason any more once another instance got a hold: payment may be under way on it.
 */
export const cancel = (state: OrderState, command: Cancel): Decided => {
  if (state.status === 'CANCELLED') return events();
  if (state.status !== 'CREATED' && state.status !== 'PAYMENT_PENDING') return wrongStatus(state);
  const { reason, detail, nowMs } = command;
  const heldUntilMs = state.status === 'CREATED' ? undefined : state.due.reservedUntilMs;
  if (command.reason !== 'PAYMENT_DECLINED' && command.heldUntilMs !== heldUntilMs) {
    return { kind: 'refused', rejection: { kind: 'outdated' } };
  }
  return events({
    type: 'OrderCancelled',
    data: { orderId: state.placed.orderId, reason, detail, cancelledAt: nowMs },
  });
};

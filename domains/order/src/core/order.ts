import type { CancellationReason, OrderChannel, OrderEvent } from '@parley/contracts/events';

/** What the customer asked for. It never changes. */
export interface Placed {
  readonly orderId: string;
  readonly customerId: string;
  readonly productId: string;
  readonly quantity: number;
  readonly createdAtMs: number;
  readonly channel: OrderChannel;
  /** Until when it is promised to be dispatched. */
  readonly dispatchByMs: number;
}

/** What is due. The amount is that of the first hold and never changes; a renewed hold only lasts longer. */
export interface Due {
  readonly amountMinor: number;
  /** ISO 4217. */
  readonly currency: string;
  /** Until when product holds the stock. */
  readonly reservedUntilMs: number;
}

export interface Paid {
  readonly paymentId: string;
  readonly paidAtMs: number;
}

export interface Shipped {
  readonly shipmentId: string;
  readonly carrier: string;
  readonly trackingNumber: string;
  readonly shippedAtMs: number;
}

/** An order. */
export type OrderState =
  | { readonly status: 'NONE' }
  | { readonly status: 'CREATED'; readonly placed: Placed }
  | {
      readonly status: 'PAYMENT_PENDING';
      readonly placed: Placed;
      readonly due: Due;
      readonly startedAtMs: number;
    }
  | { readonly status: 'PAID'; readonly placed: Placed; readonly due: Due; readonly paid: Paid }
  | {
      readonly status: 'SHIPPED';
      readonly placed: Placed;
      readonly due: Due;
      readonly paid: Paid;
      readonly shipped: Shipped;
    }
  | {
      readonly status: 'CANCELLED';
      readonly placed: Placed;
      readonly reason: CancellationReason;
      readonly detail: string;
      readonly cancelledAtMs: number;
    };

export const noOrder: OrderState = { status: 'NONE' };

const contradiction = (state: OrderState, event: OrderEvent): Error =>
  new Error(`${event.type} in an order that is ${state.status}`);

const afterPaymentStarted = (
  state: OrderState,
  event: Extract<OrderEvent, { type: 'PaymentStarted' }>,
): OrderState => {
  const { amountMinor, currency, reservedUntil, startedAt } = event.data;
  if (state.status === 'CREATED') {
    const due = { amountMinor, currency, reservedUntilMs: reservedUntil };
    return { status: 'PAYMENT_PENDING', placed: state.placed, due, startedAtMs: startedAt };
  }
  if (state.status !== 'PAYMENT_PENDING') throw contradiction(state, event);
  return { ...state, due: { ...state.due, reservedUntilMs: reservedUntil } };
};

/** Folds one event. Throws when the events contradict each other: decide never makes such a stream. */
export const evolve = (state: OrderState, event: OrderEvent): OrderState => {
  switch (event.type) {
    case 'OrderCreated': {
      if (state.status !== 'NONE') throw contradiction(state, event);
      const { orderId, customerId, productId, quantity, channel, createdAt, dispatchBy } = event.data;
      const times = { createdAtMs: createdAt, dispatchByMs: dispatchBy };
      return { status: 'CREATED', placed: { orderId, customerId, productId, quantity, channel, ...times } };
    }
    case 'PaymentStarted':
      return afterPaymentStarted(state, event);
    case 'OrderPaid': {
      if (state.status !== 'PAYMENT_PENDING') throw contradiction(state, event);
      const { placed, due } = state;
      return {
        status: 'PAID',
        placed,
        due,
        paid: { paymentId: event.data.paymentId, paidAtMs: event.data.paidAt },
      };
    }
    case 'OrderShipped': {
      if (state.status !== 'PAID') throw contradiction(state, event);
      const { shipmentId, carrier, trackingNumber, shippedAt } = event.data;
      return {
        ...state,
        status: 'SHIPPED',
        shipped: { shipmentId, carrier, trackingNumber, shippedAtMs: shippedAt },
      };
    }
    case 'ShipmentUnmatched':
      return state;
    case 'OrderCancelled': {
      if (state.status !== 'CREATED' && state.status !== 'PAYMENT_PENDING') throw contradiction(state, event);
      const { reason, detail, cancelledAt } = event.data;
      return { status: 'CANCELLED', placed: state.placed, reason, detail, cancelledAtMs: cancelledAt };
    }
  }
};

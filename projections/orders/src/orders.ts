import type { CancellationReason, OrderChannel, OrderEvent } from '@parley/contracts/events';
import { orderEvents } from '@parley/contracts/topics';
import type { ProjectionDefinition, RecordedEvent } from '@parley/event-log';

/** One order, keyed by order id. Times in milliseconds since the epoch. */
export interface OrderRow {
  readonly orderId: string;
  readonly customerId: string;
  readonly productId: string;
  readonly quantity: number;
  readonly status: 'CREATED' | 'PAYMENT_PENDING' | 'PAID' | 'SHIPPED' | 'CANCELLED';
  readonly channel: OrderChannel;
  /** Until when it is promised to be dispatched. */
  readonly dispatchByMs: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** Known once stock is held; the currency is ISO 4217. */
  readonly amount?: { readonly amountMinor: number; readonly currency: string };
  readonly paymentId?: string;
  readonly shipment?: {
    readonly shipmentId: string;
    readonly carrier: string;
    readonly trackingNumber: string;
  };
  readonly cancellation?: { readonly reason: CancellationReason; readonly detail: string };
}

/** Pure; throws on what follows no OrderCreated, which the order service never makes. */
export const foldOrder = (
  row: OrderRow | undefined,
  { event }: Pick<RecordedEvent<OrderEvent>, 'event'>,
): OrderRow | undefined => {
  if (event.type === 'OrderCreated') {
    const { orderId, customerId, productId, quantity, channel, createdAt, dispatchBy } = event.data;
    const times = { createdAtMs: createdAt, updatedAtMs: createdAt, dispatchByMs: dispatchBy };
    return { orderId, customerId, productId, quantity, channel, status: 'CREATED', ...times };
  }
  if (event.type === 'ShipmentUnmatched') return row;
  if (!row) throw new Error(`${event.type} in an order that was never created`);
  switch (event.type) {
    case 'PaymentStarted': {
      const { amountMinor, currency, startedAt } = event.data;
      return { ...row, status: 'PAYMENT_PENDING', amount: { amountMinor, currency }, updatedAtMs: startedAt };
    }
    case 'OrderPaid':
      return { ...row, status: 'PAID', paymentId: event.data.paymentId, updatedAtMs: event.data.paidAt };
    case 'OrderShipped': {
      const { shipmentId, carrier, trackingNumber, shippedAt } = event.data;
      const shipment = { shipmentId, carrier, trackingNumber };
      return { ...row, status: 'SHIPPED', shipment, updatedAtMs: shippedAt };
    }
    case 'OrderCancelled': {
      const { reason, detail, cancelledAt } = event.data;
      return { ...row, status: 'CANCELLED', cancellation: { reason, detail }, updatedAtMs: cancelledAt };
    }
  }
};

/** Orders by order id, found by customer under the index `customer`. */
export const orders: ProjectionDefinition<OrderRow, OrderEvent> = {
  name: 'orders',
  topic: orderEvents,
  key: ({ event }) => event.data.orderId,
  fold: foldOrder,
  indexes: { customer: (row) => row.customerId },
  module: import.meta.url,
};

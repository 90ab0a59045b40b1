import type { OrderEvent } from '@parley/contracts/events';
import { orderEvents } from '@parley/contracts/topics';
import type { ProjectionDefinition } from '@parley/event-log';

/** What this service must know of an order: what it holds, and whether that may still be given back. */
export interface OrderRow {
  readonly productId: string;
  readonly quantity: number;
  readonly status: 'open' | 'paid' | 'cancelled';
}

/**
 * How far what is known of orders may be behind; what settles them gathers for longer. A read that names the position of an
 * order (`x-parley-at-least`) waits as much longer, and one that does not want to wait is refused for as long.
 */
export const ORDERS_GATHER_MS = 100;

const foldOrder = (row: OrderRow | undefined, event: OrderEvent): OrderRow | undefined => {
  switch (event.type) {
    case 'OrderCreated':
      return { productId: event.data.productId, quantity: event.data.quantity, status: 'open' };
    case 'PaymentStarted':
    case 'ShipmentUnmatched':
      return row;
    case 'OrderPaid':
    case 'OrderShipped':
      return row && { ...row, status: 'paid' };
    case 'OrderCancelled':
      return row && { ...row, status: 'cancelled' };
  }
};

/** Orders by id. It is folded from the topic that the reaction follows, and is never behind it. */
export const ordersProjection: ProjectionDefinition<OrderRow, OrderEvent> = {
  name: 'orders-by-id',
  topic: orderEvents,
  key: ({ event }) => event.data.orderId,
  fold: (row, { event }) => foldOrder(row, event),
  module: import.meta.url,
};

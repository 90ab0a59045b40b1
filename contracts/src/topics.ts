import {
  eventSchemas,
  type NotificationEvent,
  type OrderEvent,
  type PaymentEvent,
  type ProductEvent,
  type ShippingEvent,
} from './generated/events.ts';
import { orderCreatedUpcaster, type Upcaster } from './upcasters.ts';

/**
 * A Kafka topic that carries the events of one aggregate type. Its number of partitions is frozen for the topic's
 * life, it is never compacted or expired, and nothing is written to it in a Kafka transaction: offsets are dense.
 */
export interface EventTopic<E extends { readonly type: string }> {
  readonly name: string;
  readonly partitions: number;
  /** The Avro schema of each event type. The registry's subject is the record's full name. */
  readonly schemas: Readonly<Record<E['type'], object>>;
  /** By event type: what Avro's defaults cannot say about events of older schemas. */
  readonly upcasters?: Readonly<Partial<Record<E['type'], Upcaster>>>;
  /** Carries the event type for inference; never present at run time. */
  readonly _event?: E;
}

const PARTITIONS = 4;

/** Stream `order-<orderId>`. */
export const orderEvents: EventTopic<OrderEvent> = {
  name: 'parley.order.events',
  partitions: PARTITIONS,
  schemas: eventSchemas.order,
  upcasters: { OrderCreated: orderCreatedUpcaster },
};
/** Stream `product-<productId>`. */
export const productEvents: EventTopic<ProductEvent> = {
  name: 'parley.product.events',
  partitions: PARTITIONS,
  schemas: eventSchemas.product,
};
/** Stream `payment-<orderId>`. */
export const paymentEvents: EventTopic<PaymentEvent> = {
  name: 'parley.payment.events',
  partitions: PARTITIONS,
  schemas: eventSchemas.payment,
};
/** Stream `notification-<orderId>`. */
export const notificationEvents: EventTopic<NotificationEvent> = {
  name: 'parley.notification.events',
  partitions: PARTITIONS,
  schemas: eventSchemas.notification,
};
/** Stream `shipment-<orderId>`. */
export const shippingEvents: EventTopic<ShippingEvent> = {
  name: 'parley.shipping.events',
  partitions: PARTITIONS,
  schemas: eventSchemas.shipping,
};

/** Every event topic, in the order in which an order travels through them. */
export const eventTopics = [
  orderEvents,
  productEvents,
  paymentEvents,
  notificationEvents,
  shippingEvents,
] as const;

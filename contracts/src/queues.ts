import { z } from 'zod';

/** In lower case, as at every edge. */
const Id = z.uuid().toLowerCase();

/**
 * A request to ship a paid order: notification -> RabbitMQ -> shipping. JSON in UTF-8. The AMQP message id is
 * `requestId`, which is derived from the event that caused it, so a repetition carries the same id. A consumer ignores
 * fields that it does not know, so that optional ones may come.
 */
export const ShippingRequested = z.object({
  requestId: Id,
  orderId: Id,
  customerId: z.string().min(1).max(128),
  paymentId: Id,
  notificationId: Id,
  /** Milliseconds since the epoch. */
  requestedAt: z.int().positive(),
});
export type ShippingRequested = z.infer<typeof ShippingRequested>;

/** Names of the exchanges and queues between notification and shipping. All durable; queues are quorum queues. */
export const shippingRequests = {
  exchange: 'parley.shipping',
  queue: 'shipping.requests',
  routingKey: 'shipping.requests',
  messageType: 'ShippingRequested',
  deadLetterExchange: 'parley.dead-letters',
  deadLetterQueue: 'shipping.requests.dead-letters',
} as const;

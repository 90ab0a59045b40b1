/** The message that benchmarks publish: as large as a request to ship an order. */
import { randomUUID } from 'node:crypto';
import type { OutgoingMessage, QueueDefinition } from '@parley/work-queue';

export const benchQueue = (queue: string): QueueDefinition => ({
  exchange: 'parley.bench',
  queue,
  routingKey: queue,
  deadLetterExchange: 'parley.bench.dead-letters',
  deadLetterQueue: `${queue}.dead-letters`,
});

export function messageOf(index: number): OutgoingMessage {
  const id = randomUUID();
  const body = {
    requestId: id,
    orderId: id,
    customerId: `customer-${index}`,
    paymentId: id,
    notificationId: id,
  };
  return {
    messageId: id,
    type: 'ShippingRequested',
    correlationId: id,
    body: Buffer.from(JSON.stringify({ ...body, requestedAt: Date.now() })),
  };
}

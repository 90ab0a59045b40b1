import { randomUUID } from 'node:crypto';
import { NotificationList, PaymentResource, ShipmentResource } from '@parley/contracts/rest';
import { shippingRequests } from '@parley/contracts/queues';
import { notificationEvents, orderEvents, paymentEvents, shippingEvents } from '@parley/contracts/topics';
import { describe, expect, it } from 'vitest';
import { Customer } from '../client.ts';
import { evidence } from '../ledger/evidence.ts';
import { groupPosition, readTopic, type AcceptedRecord } from '../log.ts';
import { latenciesOf } from '../measure.ts';
import { bindingsOf, queueFacts, takeMessage, withBroker } from '../queue.ts';
import { readStack } from '../stack.ts';
import { waitFor } from '../wait.ts';

const stack = readStack();
const productId = 'cinder-earbuds';
const orders = 20;
const shippedDeadlineMs = 120_000;
/** The specification's bound on an asynchronous hop under normal conditions. */
const hopMsMax = 5_000;

const shippedOrders = async (customer: Customer): Promise<readonly string[]> => {
  const ids: string[] = [];
  // One after the other: normal conditions, not a load test.
  for (let n = 0; n < orders; n++) {
    const { orderId } = await customer.ordered({ productId, quantity: 1 });
    await customer.status(orderId, 'SHIPPED', shippedDeadlineMs);
    ids.push(orderId);
  }
  return ids;
};

const recordOf = (records: readonly AcceptedRecord[], streamId: string, type: string): AcceptedRecord => {
  const found = records.filter((record) => record.streamId === streamId && record.type === type);
  const [record] = found;
  if (record === undefined || found.length > 1)
    throw new Error(`${found.length} ${type} in ${streamId}, one was expected`);
  return record;
};

const positionOf = ({ topic, partition, offset, eventId }: AcceptedRecord): object => ({
  topic,
  partition,
  offset,
  eventId,
});

describe('a completed payment', () => {
  it('is an event on Kafka that notification handles within 5 s, and whose offset its group commits (US2.1, FR-004, SC-002)', async (context) => {
    const customer = await Customer.of(stack, 'kafka');
    const ids = await shippedOrders(customer);
    const payments = (await readTopic(stack, paymentEvents.name)).accepted;
    const notifications = (await readTopic(stack, notificationEvents.name)).accepted;
    const pairs = ids.map((id) => ({
      paid: recordOf(payments, `payment-${id}`, 'PaymentCompleted'),
      notified: recordOf(notifications, `notification-${id}`, 'NotificationSent'),
    }));
    for (const { paid, notified } of pairs)
      expect(notified).toMatchObject({ causationId: paid.eventId, correlationId: paid.correlationId });
    const latencies = latenciesOf(pairs.map(({ paid, notified }) => notified.timeMs - paid.timeMs));
    expect(latencies.maxMs).toBeLessThan(hopMsMax);

    const [first = ''] = ids;
    const payment = await customer.read(`/api/v1/payments/${first}`, PaymentResource);
    const { items } = await customer.read(`/api/v1/notifications/${first}`, NotificationList);
    expect(payment.status).toBe('COMPLETED');
    expect(items).toMatchObject([{ orderId: first, type: 'PAYMENT_COMPLETED', status: 'SENT' }]);

    const group = 'parley.notification.on-payment';
    const committed = await waitFor(
      `the offsets of ${group}`,
      async () => {
        const position = await groupPosition(stack, group, paymentEvents.name);
        const isPast = ({ paid }: (typeof pairs)[number]): boolean =>
          (position.offsets.get(paid.partition) ?? -1) > paid.offset;
        const isAlone = position.state === 'Stable' && position.members === 1; // after a rebalance of before
        return isAlone && pairs.every(isPast) ? position : undefined;
      },
      { deadlineMs: shippedDeadlineMs },
    );
    expect(committed).toMatchObject({ state: 'Stable', members: 1 });
    evidence(context, ['US2.1', 'FR-004', 'SC-002'], {
      published: pairs.slice(0, 1).map(({ paid }) => positionOf(paid)),
      consumed: pairs.slice(0, 1).map(({ notified }) => positionOf(notified)),
      latencies,
      boundMs: hopMsMax,
      consumerGroup: { group, ...committed, offsets: Object.fromEntries(committed.offsets) },
    });
  });

  it('becomes a request to ship that RabbitMQ delivers, acknowledged after the shipment is in the log, within 5 s (US2.2, SC-003)', async (context) => {
    const { queue, exchange, routingKey } = shippingRequests;
    const acksBefore = (await queueFacts(stack, queue)).message_stats?.ack ?? 0;
    const customer = await Customer.of(stack, 'rabbitmq');
    const ids = await shippedOrders(customer);
    const notifications = (await readTopic(stack, notificationEvents.name)).accepted;
    const shipments = (await readTopic(stack, shippingEvents.name)).accepted;
    const shipped = (await readTopic(stack, orderEvents.name)).accepted;
    const latencies = latenciesOf(
      ids.map((id) => {
        const notified = recordOf(notifications, `notification-${id}`, 'NotificationSent');
        const dispatched = recordOf(shipments, `shipment-${id}`, 'ShipmentDispatched');
        expect(recordOf(shipped, `order-${id}`, 'OrderShipped').correlationId).toBe(dispatched.correlationId);
        return dispatched.timeMs - notified.timeMs;
      }),
    );
    expect(latencies.maxMs).toBeLessThan(hopMsMax);
    const [first = ''] = ids;
    const shipment = await customer.read(`/api/v1/shipments/${first}`, ShipmentResource);
    // The broker's own word for it: every message was acknowledged and none is left.
    const settled = await waitFor(
      'the broker to count the acknowledgements',
      async () => {
        const facts = await queueFacts(stack, queue);
        const acks = facts.message_stats?.ack ?? 0;
        return facts.messages === 0 && acks - acksBefore >= orders ? facts : undefined;
      },
      { deadlineMs: shippedDeadlineMs, intervalMs: 500 },
    );
    expect(settled).toMatchObject({ type: 'quorum', durable: true, consumers: 1 });
    const bound = (await bindingsOf(stack, queue)).filter(({ source }) => source === exchange);
    expect(bound).toMatchObject([{ destination: queue, routing_key: routingKey }]);
    evidence(context, ['US2.2', 'SC-003'], {
      queue,
      latencies,
      boundMs: hopMsMax,
      acknowledged: (settled.message_stats?.ack ?? 0) - acksBefore,
      left: settled.messages,
      shipment: { shipmentId: shipment.shipmentId, ...shipment.tracking },
    });
  });
});

describe('a message that shipping cannot process', () => {
  it('is a dead letter with its content untouched and the reason beside it; what comes behind it is shipped (US2.4, FR-005)', async (context) => {
    const { exchange, queue, routingKey, deadLetterExchange, deadLetterQueue } = shippingRequests;
    const messageId = randomUUID();
    const body = Buffer.from(`{"orderId":"not a uuid","nested":{"euro":"€"},"broken":`);
    await withBroker(stack, async (connection) => {
      const channel = await connection.createConfirmChannel();
      channel.publish(exchange, routingKey, body, {
        messageId,
        persistent: true,
        contentType: 'application/json',
        correlationId: 'poison-1',
        headers: { 'x-origin': 'a foreign publisher' },
      });
      await channel.waitForConfirms();
    });
    const letter = await takeMessage(stack, deadLetterQueue, { messageId, deadlineMs: shippedDeadlineMs });
    expect(letter.content.equals(body)).toBe(true);
    expect(letter.properties).toMatchObject({
      messageId,
      correlationId: 'poison-1',
      contentType: 'application/json',
    });
    expect(letter.properties.headers).toMatchObject({ 'x-origin': 'a foreign publisher' });
    const reason = String(letter.properties.headers?.['x-error-reason']);
    expect(reason).toContain('the body is not JSON');

    const customer = await Customer.of(stack, 'behind-poison');
    const { orderId } = await customer.ordered({ productId, quantity: 1 });
    await customer.status(orderId, 'SHIPPED', shippedDeadlineMs);
    const facts = await queueFacts(stack, deadLetterQueue);
    const binding = (await bindingsOf(stack, deadLetterQueue)).filter(
      ({ source }) => source === deadLetterExchange,
    );
    expect(facts.type).toBe('quorum');
    evidence(context, ['US2.4', 'FR-005'], {
      messageId,
      bytes: { sent: body.length, kept: letter.content.length, equal: letter.content.equals(body) },
      reason,
      attempts: String(letter.properties.headers?.['x-error-attempts']),
      bindings: { queue: [exchange, routingKey, queue], deadLetters: binding[0] },
      shippedBehindIt: orderId,
    });
  });
});

import { createHash, randomUUID } from 'node:crypto';
import { shippingRequests } from '@parley/contracts/queues';
import { paymentEvents, shippingEvents } from '@parley/contracts/topics';
import type { KafkaMessage } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { Customer } from '../client.ts';
import { runCommand } from '../command.ts';
import { ServiceLetters } from '../dead-letters.ts';
import { evidence } from '../ledger/evidence.ts';
import { findRecords, groupPosition, readTopic } from '../log.ts';
import { appendPoisonedPayment, recordHashes } from '../poison.ts';
import { takeMessage, withBroker } from '../queue.ts';
import { readStack } from '../stack.ts';
import { descend, readTrace, type Span, type SpanShape } from '../traces.ts';
import { waitFor } from '../wait.ts';

const stack = readStack();
const productId = 'cinder-earbuds';
const group = 'parley.notification.on-payment';
const deadLetterTopic = `${paymentEvents.name}.${group}.dlq`;
const shippedDeadlineMs = 120_000;
const letterDeadlineMs = 120_000;

/** What a redrive adds to the trace of its event. */
const redrivenHops: readonly SpanShape[] = [
  { service: 'notification', kind: 'CONSUMER', name: /^process parley\.payment\.events$/ },
  { service: 'notification', kind: 'PRODUCER', name: /^publish shipping\.requests$/ },
  { service: 'shipping', kind: 'CONSUMER', name: /^process shipping\.requests$/ },
  { service: 'shipping', kind: 'PRODUCER', name: /^publish parley\.shipping\.events$/ },
];
const tracedDeadlineMs = 120_000;

/** The hops of a redrive, each below the one before, once the trace has them among its spans that began after a time. */
const hopsSince = (traceId: string, sinceMs: number): Promise<readonly Span[]> =>
  waitFor(
    `the hops of the redrive in the trace ${traceId}`,
    async () => {
      const spans = (await readTrace(stack, traceId)) ?? [];
      // Zipkin tells microseconds.
      return descend(
        spans.filter(({ timestamp }) => Number(timestamp) >= sinceMs * 1_000),
        redrivenHops,
      );
    },
    { deadlineMs: tracedDeadlineMs, intervalMs: 250 },
  );

const headerOf = (message: KafkaMessage, name: string): string => {
  const value = message.headers?.[name];
  return Array.isArray(value) ? value.map(String).join() : (value?.toString() ?? '');
};
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Publishes what shipping cannot read, and takes its dead letter. */
const deadRequest = async (): Promise<object> => {
  const { exchange, routingKey, deadLetterQueue } = shippingRequests;
  const messageId = randomUUID();
  const body = Buffer.from('{"orderId":"\u20ac","broken":');
  await withBroker(stack, async (connection) => {
    const channel = await connection.createConfirmChannel();
    channel.publish(exchange, routingKey, body, { messageId, persistent: true, headers: { own: 'header' } });
    await channel.waitForConfirms();
  });
  const letter = await takeMessage(stack, deadLetterQueue, { messageId, deadlineMs: letterDeadlineMs });
  expect(sha256(letter.content)).toBe(sha256(body));
  expect(letter.properties.headers).toMatchObject({ own: 'header' });
  return {
    queue: deadLetterQueue,
    sha256: { sent: sha256(body), kept: sha256(letter.content) },
    reason: String(letter.properties.headers?.['x-error-reason']),
  };
};

describe('an event that notification cannot handle, in the middle of good ones', () => {
  it(
    'is in the dead letters with its bytes untouched once its attempts are exhausted, on Kafka as on RabbitMQ, and the good ones are shipped; mended and redriven, its order is shipped once, however often it is redriven, and its trace goes on (US2.3, FR-020, SC-010)',
    { timeout: 1_200_000 },
    async (context) => {
      const customer = await Customer.of(stack, 'poison');
      const price = await customer.ordered({ productId, quantity: 1 });
      const good = [price.orderId];
      const idempotencyKey = randomUUID();
      const traceId = randomUUID().replaceAll('-', '');
      if (price.amount === undefined) throw new Error('a paid order has an amount');
      const { amountMinor, currency } = price.amount;
      const poisoned = await appendPoisonedPayment(stack, {
        customerId: customer.sub,
        idempotencyKey,
        amountMinor,
        currency,
        traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
      });
      const { orderId } = await customer.ordered({ productId, quantity: 1, idempotencyKey });
      expect(orderId).toBe(poisoned.orderId);
      const onRabbitmq = await deadRequest();
      good.push((await customer.ordered({ productId, quantity: 1 })).orderId);
      const startedAt = performance.now();
      const ofOrigin = (message: KafkaMessage, partition: number): boolean =>
        partition === poisoned.partition && headerOf(message, 'x-origin-offset') === String(poisoned.offset);
      const [letter] = await findRecords(stack, deadLetterTopic, {
        wanted: ofOrigin,
        count: 1,
        deadlineMs: letterDeadlineMs,
      });
      const letterAfterMs = Math.round(performance.now() - startedAt);
      const [original] = await findRecords(stack, paymentEvents.name, {
        wanted: ({ offset }, partition) =>
          partition === poisoned.partition && offset === String(poisoned.offset),
        count: 1,
        deadlineMs: letterDeadlineMs,
      });
      if (letter === undefined || original === undefined) throw new Error('found and not there');
      const names = Object.keys(original.headers ?? {});
      const hashes = { original: recordHashes(original, names), letter: recordHashes(letter, names) };
      expect(hashes.letter).toEqual(hashes.original);
      expect(Object.keys(letter.headers ?? {}).slice(0, names.length)).toEqual(names);
      const added = Object.fromEntries(
        Object.keys(letter.headers ?? {})
          .slice(names.length)
          .map((name) => [name, headerOf(letter, name)]),
      );
      expect(added).toMatchObject({
        'x-origin-topic': paymentEvents.name,
        'x-origin-partition': String(poisoned.partition),
        'x-origin-timestamp': original.timestamp,
        'x-origin-group': group,
        'x-error-reason': 'attempts-exhausted',
        'x-error-attempts': '5',
        'x-error-class': 'Error',
        'x-error-message': expect.stringContaining('the log refuses the notification') as string,
      });
      for (const each of good) await customer.status(each, 'SHIPPED', shippedDeadlineMs);
      const committed = await waitFor(
        `the offset behind the poison`,
        async () => {
          const { offsets } = await groupPosition(stack, group, paymentEvents.name);
          const offset = offsets.get(poisoned.partition) ?? -1;
          return offset > poisoned.offset ? offset : undefined;
        },
        { deadlineMs: letterDeadlineMs },
      );
      const letters = new ServiceLetters(stack, 'notification');
      const { id } = await letters.find(
        'the letter on the operations port',
        ({ subject, state }) => subject === `payment-${orderId}` && state === 'open',
        letterDeadlineMs,
      );
      const detail = await letters.show(id);
      expect(detail.traceparent).toContain(traceId);
      const edited = { ...(detail.decoded as object), customerId: customer.sub };
      expect(await letters.redrive(id, { why: 'x', edited: { ...edited, amountMinor: 'much' } })).toBe(409);
      const redrivenAtMs = Date.now();
      const pressed = await Promise.all(
        [1, 2, 3].map(() => letters.redrive(id, { why: 'the customer is named', edited })),
      );
      expect(pressed).toContain(200);
      await customer.status(orderId, 'SHIPPED', shippedDeadlineMs);
      const settled = await letters.find(
        'the letter to be settled',
        (each) => each.id === id && each.state === 'redriven',
        letterDeadlineMs,
      );
      const shipments = (await readTopic(stack, shippingEvents.name)).accepted.filter(
        ({ streamId }) => streamId === `shipment-${orderId}`,
      );
      expect(shipments).toHaveLength(1);
      const hops = await hopsSince(traceId, redrivenAtMs);
      evidence(context, ['US2.3', 'FR-020', 'SC-010'], {
        kafka: {
          origin: { topic: paymentEvents.name, partition: poisoned.partition, offset: poisoned.offset },
          deadLetter: { topic: deadLetterTopic, offset: letter.offset },
          afterMs: letterAfterMs,
          attempts: added['x-error-attempts'],
          sha256: hashes,
          committedBehindIt: committed,
        },
        rabbitmq: onRabbitmq,
        goodOrdersShipped: good.length,
        redriven: {
          pressed: pressed.length,
          note: settled.note,
          shipments: shipments.length,
          traceId,
          hops: hops.map((s) => `${s.localEndpoint.serviceName} ${s.kind ?? ''} ${s.name}`),
        },
      });
    },
  );
});

interface Listed {
  readonly letters: readonly { readonly id: string; readonly broker: string; readonly subject: string }[];
}

describe('a request to ship that cannot be read', () => {
  it(
    'is listed beside the dead letters of Kafka, and mended in an editor and redriven its order is SHIPPED; what is discarded is gone (US2.4)',
    { timeout: 1_200_000 },
    async (context) => {
      const customer = await Customer.of(stack, 'mended');
      const price = await customer.ordered({ productId, quantity: 1 });
      if (price.amount === undefined) throw new Error('a paid order has an amount');
      const idempotencyKey = randomUUID();
      const { orderId } = await appendPoisonedPayment(stack, {
        customerId: customer.sub,
        idempotencyKey,
        ...price.amount,
        traceparent: `00-${randomUUID().replaceAll('-', '')}-00f067aa0ba902b7-01`,
      });
      await customer.ordered({ productId, quantity: 1, idempotencyKey });
      const { exchange, routingKey, messageType } = shippingRequests;
      const messageId = randomUUID();
      const request = {
        requestId: messageId,
        orderId: 'the order of Ms. Smith',
        customerId: customer.sub,
        paymentId: randomUUID(),
        notificationId: randomUUID(),
        requestedAt: Date.now(),
      };
      await withBroker(stack, async (connection) => {
        const channel = await connection.createConfirmChannel();
        const body = Buffer.from(JSON.stringify(request));
        channel.publish(exchange, routingKey, body, { messageId, type: messageType, persistent: true });
        await channel.waitForConfirms();
      });
      const dlq = (args: readonly string[], editor = 'false') =>
        runCommand(stack, [
          'env',
          `EDITOR=${editor}`,
          process.execPath,
          'platform/launcher/src/main.ts',
          'dlq',
          ...args,
        ]);
      const [notification, shipping] = [
        new ServiceLetters(stack, 'notification'),
        new ServiceLetters(stack, 'shipping'),
      ];
      const isOpen = (subject: string) => (each: { readonly subject: string; readonly state: string }) =>
        each.subject === subject && each.state === 'open';
      await notification.find('the letter on Kafka', isOpen(`payment-${orderId}`), letterDeadlineMs);
      await shipping.find('the letter on RabbitMQ', isOpen(messageId), letterDeadlineMs);
      const { letters } = JSON.parse((await dlq(['list', '--json'])).stdout) as Listed; // as it is documented
      const onKafka = letters.find(({ subject }) => subject === `payment-${orderId}`);
      const onRabbitmq = letters.find(({ subject }) => subject === messageId);
      if (onKafka === undefined || onRabbitmq === undefined) throw new Error('not both are in one list');
      expect([onKafka.broker, onRabbitmq.broker]).toEqual(['kafka', 'rabbitmq']);
      expect((await dlq(['redrive', onRabbitmq.id, '--dry-run'])).exitCode).toBe(0);
      // As it is, it dies again, and is there still.
      expect((await dlq(['redrive', onRabbitmq.id])).exitCode).toBe(0);
      const isDeadAgain = (each: { readonly id: string; readonly redrives: number }): boolean =>
        each.id === onRabbitmq.id && each.redrives === 1;
      await shipping.find('it to be dead again', isDeadAgain, letterDeadlineMs);
      const editor = `sed -i 's/the order of Ms. Smith/${orderId}/'`;
      const mended = await dlq(['redrive', onRabbitmq.id, '--edit', '--why', 'the order is named'], editor);
      expect(mended.exitCode).toBe(0);
      await customer.status(orderId, 'SHIPPED', shippedDeadlineMs);
      expect((await dlq(['discard', onKafka.id])).exitCode).toBe(2);
      expect((await dlq(['discard', onKafka.id, '--why', 'its order was shipped by hand'])).exitCode).toBe(0);
      const after = JSON.parse((await dlq(['list', '--json'])).stdout) as Listed;
      expect(after.letters.filter(({ id }) => id === onKafka.id || id === onRabbitmq.id)).toEqual([]);
      evidence(context, ['US2.4'], {
        letters: { kafka: onKafka.id, rabbitmq: onRabbitmq.id },
        shippedAfterRedrive: orderId,
      });
    },
  );
});

import { createHash, randomUUID } from 'node:crypto';
import { shippingRequests } from '@parley/contracts/queues';
import { paymentEvents, shippingEvents } from '@parley/contracts/topics';
import type { KafkaMessage } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { Customer } from '../client.ts';
import { ServiceLetters } from '../dead-letters.ts';
import { evidence } from '../ledger/evidence.ts';
import { findRecords, groupPosition, readTopic } from '../log.ts';
import { appendPoisonedPayment, recordHashes } from '../poison.ts';
import { takeMessage, withBroker } from '../queue.ts';
import { readStack } from '../stack.ts';
import { waitFor } from '../wait.ts';

const stack = readStack();
const productId = 'cinder-earbuds';
const group = 'parley.notification.on-payment';
const deadLetterTopic = `${paymentEvents.name}.${group}.dlq`;
const shippedDeadlineMs = 30_000;
const letterDeadlineMs = 30_000;

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
  const letter = await takeMessage(stack, deadLetterQueue, { messageId, deadlineMs: 15_000 });
  expect(sha256(letter.content)).toBe(sha256(body));
  expect(letter.properties.headers).toMatchObject({ own: 'header' });
  return {
    queue: deadLetterQueue,
    sha256: { sent: sha256(body), kept: sha256(letter.content) },
    reason: String(letter.properties.headers?.['x-error-reason']),
  };
};

describe('an event that notification cannot handle, in the middle of good ones', () => {
  it('is in the dead letters with its bytes untouched once its attempts are exhausted, on Kafka as on RabbitMQ, and the good ones are shipped; mended and redriven, its order is shipped once, however often it is redriven (US2.3, FR-020, SC-010)', async (context) => {
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
      { deadlineMs: 10_000 },
    );
    const onRabbitmq = await deadRequest();

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
      redriven: { pressed: pressed.length, note: settled.note, shipments: shipments.length, traceId },
    });
  });
});

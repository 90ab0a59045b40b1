import type { Channel } from 'amqplib';
import type { QueueDefinition } from '../ports.ts';

/** A full queue refuses further messages instead of dropping old ones. */
const MAX_MESSAGES = 100_000;

/**
 * Returns to the queue without an acknowledgement before the broker itself makes a dead letter. Handlers that reject
 * are counted by the consumer; this one counts crashes, of which each touches everything that was prefetched, so it
 * is wide enough for innocent messages.
 */
const DELIVERY_LIMIT = 20;

/** Declares everything that belongs to a queue; the same names with other arguments close the channel (406). */
export const declareTopology = async (channel: Channel, definition: QueueDefinition): Promise<void> => {
  const { exchange, queue, routingKey, deadLetterExchange, deadLetterQueue } = definition;
  await channel.assertExchange(deadLetterExchange, 'direct', { durable: true });
  await channel.assertQueue(deadLetterQueue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  await channel.bindQueue(deadLetterQueue, deadLetterExchange, routingKey);
  await channel.assertExchange(exchange, 'direct', { durable: true });
  await channel.assertQueue(queue, {
    durable: true,
    arguments: {
      'x-queue-type': 'quorum',
      'x-delivery-limit': DELIVERY_LIMIT,
      'x-dead-letter-exchange': deadLetterExchange,
      // At-least-once keeps a dead letter in the source queue until the other has it; it requires reject-publish.
      'x-dead-letter-strategy': 'at-least-once',
      'x-overflow': 'reject-publish',
      'x-max-length': MAX_MESSAGES,
    },
  });
  await channel.bindQueue(queue, exchange, routingKey);
};

import type { Channel } from 'amqplib';
import type { Logger } from 'pino';
import { DEAD_LETTERS_MAX } from '../dead-letters.ts';
import { settledQueueOf } from '../letters.ts';
import type { QueueDefinition } from '../ports.ts';
import { close } from './close.ts';

/** A full queue refuses further messages instead of dropping old ones. */
const MAX_MESSAGES = 100_000;

/**
 * Returns to the queue without an acknowledgement before the broker itself makes a dead letter. Handlers that reject
 * are counted by the consumer; this one counts crashes, of which each touches everything that was prefetched, so it
 * is wide enough for innocent messages.
 */
const DELIVERY_LIMIT = 20;

/** Settled letters that are kept. */
export const SETTLED_MAX = 1_000;

const PRECONDITION_FAILED = 406;

/** The broker's words for a queue that was declared without an argument that this release gives it. */
const UNBOUNDED = /inequivalent arg 'x-(?:max-length|overflow)'.* but current is none/;

/** What the declarations need of a connection. */
export interface TopologyChannels {
  readonly channel: Channel;
  /** A channel that may be closed by the broker without ending anything else. */
  readonly expendable: () => Promise<Channel>;
  readonly logger: Pick<Logger, 'warn'>;
}

/**
 * A queue that an earlier release declared without a bound cannot get one, and may hold letters that nobody has looked
 * at: it is used as it is, and said at every connect. Any other difference rejects.
 */
const declareDeadLetters = async (
  { expendable, logger }: TopologyChannels,
  { deadLetterQueue, deadLettersMax = DEAD_LETTERS_MAX }: QueueDefinition,
): Promise<void> => {
  const channel = await expendable();
  const args = { 'x-queue-type': 'quorum', 'x-overflow': 'reject-publish', 'x-max-length': deadLettersMax };
  try {
    await channel.assertQueue(deadLetterQueue, { durable: true, arguments: args });
  } catch (error) {
    const { code, message } = error as { readonly code?: number; readonly message: string }; // as amqplib rejects
    if (code !== PRECONDITION_FAILED || !UNBOUNDED.test(message)) throw error;
    logger.warn(
      { queue: deadLetterQueue },
      'the dead-letter queue is of an earlier release and has no bound; remove it once its letters were looked at, and it comes back with one',
    );
    return;
  }
  await close(channel);
};

/** Declares everything that belongs to a queue; the same names with other arguments close the channel (406). */
export const declareTopology = async (
  channels: TopologyChannels,
  definition: QueueDefinition,
): Promise<void> => {
  const { channel } = channels;
  const { exchange, queue, routingKey, deadLetterExchange, deadLetterQueue } = definition;
  await channel.assertExchange(deadLetterExchange, 'direct', { durable: true });
  await declareDeadLetters(channels, definition);
  await channel.bindQueue(deadLetterQueue, deadLetterExchange, routingKey);
  // Settled letters are kept for a look: the oldest ones go.
  await channel.assertQueue(settledQueueOf(definition), {
    durable: true,
    arguments: { 'x-queue-type': 'quorum', 'x-max-length': SETTLED_MAX, 'x-overflow': 'drop-head' },
  });
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

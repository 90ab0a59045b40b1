/** Publishing with confirms against amqplib as it comes: same queue, messages, flags and number of unconfirmed messages. */
import { connect, type ConfirmChannel } from 'amqplib';
import { openWorkQueue, type Publisher, type QueueDefinition } from '@parley/work-queue';
import { pino } from 'pino';
import { rate } from '../append/figures.ts';
import type { BenchContext } from '../context.ts';
import { withInFlight } from '../in-flight.ts';
import { describe, runClaim, type Claim, type ClaimResult } from '../pairs.ts';
import { benchQueue, messageOf } from './message.ts';

/** Two seconds of work: a run that ends sooner measures how it began. */
const COUNT = 40_000;
const WINDOW = 256;

const publishAll = (publisher: Publisher): Promise<number> =>
  withInFlight(COUNT, WINDOW, async (index) => {
    await publisher.publish(messageOf(index));
    return true;
  });

const publishBare = (channel: ConfirmChannel, { exchange, routingKey }: QueueDefinition): Promise<number> =>
  withInFlight(COUNT, WINDOW, (index) => {
    const { body, messageId, correlationId, type } = messageOf(index);
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const properties = {
      messageId,
      correlationId,
      type,
      contentType: 'application/json',
      timestamp: Math.floor(Date.now() / 1000),
      headers: {},
      persistent: true,
      mandatory: true,
    };
    channel.publish(exchange, routingKey, body, properties, (error: unknown) => {
      if (error instanceof Error) reject(error);
      else resolve(true);
    });
    return promise;
  });

export async function benchConfirms(url: string, context: BenchContext): Promise<ClaimResult> {
  const logger = pino({ level: 'error' }, pino.destination(2));
  const definition = benchQueue('bench.confirms');
  const queue = openWorkQueue({ url, logger, name: 'bench', maxInFlight: WINDOW });
  const publisher = queue.publisher(definition);
  const connection = await connect(url);
  try {
    await queue.ready({ signal: context.signal });
    const channel = await connection.createConfirmChannel();
    /** Every run begins with an empty queue: one that grows gets slower for whoever comes later. */
    const measured = async (publish: () => Promise<number>) => {
      await channel.purgeQueue(definition.queue);
      return rate(COUNT, publish);
    };
    const claim: Claim = {
      title: `Publishing with confirms, ${WINDOW} unconfirmed, against bare amqplib with the same window`,
      unit: '/s',
      bound: { atLeast: 0.8 },
      a: { name: 'work queue', run: () => measured(() => publishAll(publisher)) },
      b: { name: 'bare amqplib', run: () => measured(() => publishBare(channel, definition)) },
    };
    context.print(claim.title);
    const result = await runClaim(claim, context);
    context.print(describe(result));
    return result;
  } finally {
    await queue.close({ deadlineMs: 1000 });
    await connection.close().catch(() => undefined);
  }
}

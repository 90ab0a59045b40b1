import { rabbitmqAuthorization } from '@parley/engines/testing';
import { connect, type ChannelModel, type GetMessage } from 'amqplib';
import { z } from 'zod';
import type { StackUnderTest } from './stack.ts';
import { waitFor } from './wait.ts';

const QueueFacts = z.looseObject({
  name: z.string(),
  type: z.string(),
  durable: z.boolean(),
  consumers: z.int().optional(),
  messages: z.int().optional(),
  message_stats: z.looseObject({ ack: z.int().optional() }).optional(),
});
const Bindings = z.array(
  z.looseObject({ source: z.string(), destination: z.string(), routing_key: z.string() }),
);

const management = async (stack: Pick<StackUnderTest, 'endpoints'>, path: string): Promise<unknown> => {
  const response = await fetch(`${stack.endpoints.rabbitmq.management}/api/${path}`, {
    headers: { authorization: rabbitmqAuthorization },
    signal: AbortSignal.timeout(60_000),
  });
  if (!response.ok) throw new Error(`the broker's management answered ${response.status} for ${path}`);
  return response.json();
};

/** What the broker says of a queue. Its counters are sampled every few seconds. */
export const queueFacts = async (
  stack: Pick<StackUnderTest, 'endpoints'>,
  queue: string,
): Promise<z.infer<typeof QueueFacts>> => QueueFacts.parse(await management(stack, `queues/%2F/${queue}`));

/** Which exchanges feed a queue, and under which routing keys. */
export const bindingsOf = async (
  stack: Pick<StackUnderTest, 'endpoints'>,
  queue: string,
): Promise<z.infer<typeof Bindings>> =>
  Bindings.parse(await management(stack, `queues/%2F/${queue}/bindings`));

/** Calls `use` with a connection to the stack's broker. */
export const withBroker = async <T>(
  stack: Pick<StackUnderTest, 'endpoints'>,
  use: (connection: ChannelModel) => Promise<T>,
): Promise<T> => {
  const connection = await connect(stack.endpoints.rabbitmq.amqp, { timeout: 60_000 });
  try {
    return await use(connection);
  } finally {
    await connection.close();
  }
};

/** The message with this id, taken from a queue that nobody consumes; others are put back. */
export const takeMessage = (
  stack: Pick<StackUnderTest, 'endpoints'>,
  queue: string,
  { messageId, deadlineMs }: { readonly messageId: string; readonly deadlineMs: number },
): Promise<GetMessage> =>
  withBroker(stack, async (connection) => {
    const channel = await connection.createChannel();
    const look = async (): Promise<GetMessage | undefined> => {
      const others: GetMessage[] = [];
      try {
        for (;;) {
          const message = await channel.get(queue);
          if (message === false) return undefined;
          if (message.properties.messageId === messageId) {
            channel.ack(message);
            return message;
          }
          others.push(message);
        }
      } finally {
        for (const message of others) channel.nack(message, false, true);
      }
    };
    return waitFor(`message ${messageId} in ${queue}`, look, { deadlineMs });
  });

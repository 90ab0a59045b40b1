import { type Channel, type ChannelModel, connect, type GetMessage } from 'amqplib';
import pino from 'pino';
import type { IncomingMessage, QueueDefinition } from '../src/ports.ts';
import { openWorkQueue } from '../src/rabbitmq/work-queue.ts';
import type { WorkQueueHarness } from './feature-suite.ts';

const toMessage = ({ content, properties, fields }: GetMessage): Omit<IncomingMessage, 'attempt'> => ({
  messageId: String(properties.messageId),
  type: String(properties.type),
  body: content,
  correlationId: String(properties.correlationId),
  headers: properties.headers ?? {},
  redelivered: fields.redelivered,
});

/** Cuts the socket, as a killed process does: nothing is said to the broker. */
const sever = (model: ChannelModel): void => {
  const { stream } = model.connection as unknown as { stream: { destroy(): void } }; // amqplib does not type it
  stream.destroy();
};

/** The feature suite's view of a running RabbitMQ; `urlOf` is asked once the suite starts. */
export const rabbitHarness = (urlOf: () => string): WorkQueueHarness => {
  const logger = pino({ level: 'silent' });
  let observer: { readonly model: ChannelModel; readonly channel: Channel } | undefined;
  const channel = (): Channel => {
    if (observer === undefined) throw new Error('the harness is not started');
    return observer.channel;
  };
  return {
    start: async () => {
      const model = await connect(urlOf());
      observer = { model, channel: await model.createChannel() };
    },
    stop: async () => {
      await observer?.model.close();
    },
    open: (options = {}) => openWorkQueue({ url: urlOf(), logger, name: 'feature-suite', ...options }),
    deadLetters: async (definition: QueueDefinition) => {
      const dead: Omit<IncomingMessage, 'attempt'>[] = [];
      for (;;) {
        const message = await channel().get(definition.deadLetterQueue, { noAck: true });
        if (message === false) return dead;
        dead.push(toMessage(message));
      }
    },
    crashHolding: async (definition) => {
      const model = await connect(urlOf());
      model.on('error', () => undefined); // the cut socket
      const holding = await model.createChannel();
      const taken = Promise.withResolvers<string>();
      await holding.consume(definition.queue, (message) => {
        taken.resolve(String(message?.properties.messageId));
      });
      const id = await taken.promise;
      sever(model);
      return id;
    },
    unbind: async ({ queue, exchange, routingKey }) => {
      await channel().unbindQueue(queue, exchange, routingKey);
    },
  };
};

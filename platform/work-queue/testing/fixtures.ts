import { randomUUID } from 'node:crypto';
import { done, type Verdict } from '@parley/delivery';
import type {
  ConsumerOptions,
  IncomingMessage,
  LetterRules,
  OutgoingMessage,
  QueueDefinition,
  WorkQueue,
} from '../src/ports.ts';

/** A queue that no other test has. */
export const definitionOf = (name: string): QueueDefinition => {
  const queue = `${name}-${randomUUID()}`;
  return {
    exchange: `exchange-${queue}`,
    queue,
    routingKey: queue,
    deadLetterExchange: 'feature-suite.dead-letters',
    deadLetterQueue: `${queue}.dead-letters`,
  };
};

export const messageOf = (over: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
  messageId: randomUUID(),
  type: 'Tested',
  body: Buffer.from('{"n":1}'),
  correlationId: 'correlation-1',
  ...over,
});

/** Names a letter by its body, and takes no edited one in which there is `much`. */
export const letterRules: LetterRules = {
  subjectOf: (body) => `subject ${body.toString()}`,
  problemOf: (body) => (body.toString().includes('much') ? 'n is no number' : undefined),
};

/** Collects what a consumer sees and acknowledges it. */
export const collect = (queue: WorkQueue, definition: QueueDefinition): IncomingMessage[] => {
  const seen: IncomingMessage[] = [];
  queue.consume(definition, {
    handle: (message) => {
      seen.push(message);
      return Promise.resolve(done);
    },
  });
  return seen;
};

/** Consumes with a handler that keeps `kept` until it is released, and leaves the rest to `handle`. */
export const consumeBeside = (
  queue: WorkQueue,
  definition: QueueDefinition,
  options: ConsumerOptions,
): { kept: OutgoingMessage; calls: IncomingMessage[]; release: () => void } => {
  const kept = messageOf();
  const calls: IncomingMessage[] = [];
  const released = Promise.withResolvers<Verdict>();
  queue.consume(definition, {
    ...options,
    handle: (message, context) => {
      calls.push(message);
      return message.messageId === kept.messageId ? released.promise : options.handle(message, context);
    },
  });
  const release = (): void => {
    released.resolve(done);
  };
  return { kept, calls, release };
};

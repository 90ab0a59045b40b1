import { deliverySuite } from '@parley/delivery/testing';
import { describe, expect, it } from 'vitest';
import { deliveryHarness } from './delivery-harness.ts';
import { workQueueFeatures, type WorkQueueHarness } from './feature-suite.ts';
import { InMemoryBroker } from './in-memory.ts';

const broker = new InMemoryBroker();

const harness: WorkQueueHarness = {
  start: () => Promise.resolve(),
  stop: () => Promise.resolve(),
  open: (options) => broker.connect(options),
  deadLetters: (definition) => Promise.resolve(broker.takeDeadLetters(definition)),
  crashHolding: (definition) => Promise.resolve(broker.crashHolding(definition)),
  unbind: (definition) => {
    broker.unbind(definition);
    return Promise.resolve();
  },
};
workQueueFeatures('memory', harness);
deliverySuite('a work queue in memory', deliveryHarness(harness));

describe('the in-memory broker', () => {
  it('refuses a publish as disconnected and retryable while it is away', async () => {
    const away = new InMemoryBroker();
    const definition = {
      exchange: 'e',
      queue: 'q',
      routingKey: 'q',
      deadLetterExchange: 'd',
      deadLetterQueue: 'q.d',
    };
    const publisher = away.connect().publisher(definition);
    away.available = false;
    const message = { messageId: 'm', type: 't', body: Buffer.from('x'), correlationId: 'c' };
    await expect(publisher.publish(message)).rejects.toMatchObject({
      reason: 'disconnected',
      retryable: true,
    });
  });
});

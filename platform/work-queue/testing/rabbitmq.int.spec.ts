import { startTestEngines, type TestEngines } from '@parley/engines/testing';
import { connect } from 'amqplib';
import { randomUUID } from 'node:crypto';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { QueueDefinition, WorkQueue } from '../src/ports.ts';
import { openWorkQueue } from '../src/rabbitmq/work-queue.ts';
import { workQueueFeatures } from './feature-suite.ts';
import { rabbitHarness } from './rabbitmq-harness.ts';

let engines: TestEngines;
beforeAll(async () => {
  engines = await startTestEngines({ only: ['rabbitmq'] });
});
afterAll(async () => {
  await engines.stop();
});

workQueueFeatures(
  'RabbitMQ',
  rabbitHarness(() => engines.amqpUrl),
);

describe('a dead-letter queue that is there already', () => {
  const definitionOf = (): QueueDefinition => {
    const queue = `former-${randomUUID()}`;
    return {
      exchange: `exchange-${queue}`,
      queue,
      routingKey: queue,
      deadLetterExchange: 'former.dead-letters',
      deadLetterQueue: `${queue}.dead-letters`,
    };
  };

  /** Declares the dead-letter queue as `args` say, puts a letter into it, and then opens a work queue on it. */
  const openOn = async (
    args: Readonly<Record<string, unknown>>,
  ): Promise<{
    definition: QueueDefinition;
    queue: WorkQueue;
    logged: string[];
    letters: () => Promise<number>;
  }> => {
    const definition = definitionOf();
    const connection = await connect(engines.amqpUrl);
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue(definition.deadLetterQueue, { durable: true, arguments: args });
    channel.sendToQueue(definition.deadLetterQueue, Buffer.from('unseen'), { persistent: true });
    await channel.waitForConfirms();
    const logged: string[] = [];
    const logger = pino({ level: 'warn' }, { write: (line) => void logged.push(line) });
    const queue = openWorkQueue({ url: engines.amqpUrl, name: 'former', logger });
    queue.consume(definition, { handle: () => Promise.resolve({ deadLetter: 'poison' }) });
    onTestFinished(async () => {
      await queue.close();
      await connection.close();
    });
    const letters = async (): Promise<number> =>
      (await channel.checkQueue(definition.deadLetterQueue)).messageCount;
    return { definition, queue, logged, letters };
  };

  it('is used as it is when an earlier release gave it no bound: its letters stay, and the log says it', async () => {
    const { definition, queue, logged, letters } = await openOn({ 'x-queue-type': 'quorum' });
    await queue.ready({ signal: AbortSignal.timeout(10_000) });
    expect(logged.filter((line) => line.includes('has no bound'))).toHaveLength(1);
    const message = { messageId: randomUUID(), type: 't', body: Buffer.from('x'), correlationId: 'c' };
    await queue.publisher(definition).publish(message);
    await vi.waitFor(
      async () => {
        expect(await letters()).toBe(2);
      },
      { timeout: 10_000 },
    );
  });

  it('stops the start, with the reason, when it would drop its oldest letter for a new one', async () => {
    const args = { 'x-queue-type': 'quorum', 'x-max-length': 10_000, 'x-overflow': 'drop-head' };
    const { queue, letters } = await openOn(args);
    await vi.waitFor(
      () => {
        expect(queue.health()).toMatchObject({
          ready: false,
          waitingFor: expect.stringContaining("inequivalent arg 'x-overflow'") as unknown,
        });
      },
      { timeout: 10_000 },
    );
    expect(await letters()).toBe(1);
  });
});

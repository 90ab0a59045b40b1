import { deadLetter, done, notYet, type Verdict } from '@parley/delivery';
import { deliverySuite } from '@parley/delivery/testing';
import { rabbitmqAuthorization, startTestEngines, type TestEngines } from '@parley/engines/testing';
import { connect } from 'amqplib';
import { randomUUID } from 'node:crypto';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { QueueDefinition, WorkQueue } from '../src/ports.ts';
import { LetterLook } from '../src/rabbitmq/letter-look.ts';
import { openWorkQueue } from '../src/rabbitmq/work-queue.ts';
import { deliveryHarness } from './delivery-harness.ts';
import { workQueueFeatures } from './feature-suite.ts';
import { openCuttable } from './cuttable.ts';
import { definitionOf, messageOf } from './fixtures.ts';
import { rabbitHarness } from './rabbitmq-harness.ts';

/** For what is to happen: far longer than it takes on the slowest machine. */
const WAIT_MS_MAX = 120_000;

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
deliverySuite('a work queue on RabbitMQ', deliveryHarness(rabbitHarness(() => engines.amqpUrl)));

describe('a message that is given back too often', () => {
  it('is made a dead letter by the broker, beyond 20 returns and without a reason of ours', async () => {
    const definition = definitionOf('returned');
    const harness = rabbitHarness(() => engines.amqpUrl);
    await harness.start();
    const queue = harness.open();
    onTestFinished(async () => {
      await queue.close();
      await harness.stop();
    });
    await queue.ready({ signal: AbortSignal.timeout(WAIT_MS_MAX) });
    let calls = 0;
    queue.consume(definition, {
      heldMsMax: 10,
      retryDelayMs: 10_000,
      handle: () => {
        calls += 1;
        return Promise.resolve(notYet('the log is away'));
      },
    });
    const message = messageOf();
    await queue.publisher(definition).publish(message);
    await vi.waitFor(
      async () => {
        const [dead] = await harness.deadLetters(definition);
        expect(dead).toMatchObject({ messageId: message.messageId, body: message.body });
        expect(dead?.headers).not.toHaveProperty('x-error-reason');
      },
      { timeout: WAIT_MS_MAX },
    );
    expect(calls).toBe(21);
  });
});

describe('a full dead-letter queue', () => {
  const count = 10_000;
  const redriven = 100;
  /** One, unless the machine pauses for longer than a look is kept; one each if none were kept. */
  const looksMax = redriven / 4;

  it(
    'is listed whole, its last letter is shown, and many are redriven one after the other without looking at all of them each time',
    { timeout: 1_200_000 },
    async () => {
      const definition = definitionOf('many');
      const queue = openWorkQueue({ url: engines.amqpUrl, name: 'many', logger: pino({ level: 'silent' }) });
      const handled = new Set<string>();
      queue.consume(definition, {
        prefetch: 256,
        handle: ({ messageId }) => {
          handled.add(messageId);
          return Promise.resolve(done);
        },
      });
      await queue.ready({ signal: AbortSignal.timeout(WAIT_MS_MAX) });
      const connection = await connect(engines.amqpUrl);
      onTestFinished(async () => {
        await queue.close();
        await connection.close();
      });
      const channel = await connection.createConfirmChannel();
      for (let n = 0; n < count; n += 1)
        channel.sendToQueue(definition.deadLetterQueue, Buffer.from(`{"n":${String(n)}}`), {
          persistent: true,
          messageId: String(n),
          type: 'Tested',
        });
      await channel.waitForConfirms();
      const { deadLetters } = queue;
      const ids = (await deadLetters.list()).map(({ id }) => id);
      expect(ids).toEqual(Array.from({ length: count }, (_, n) => `${definition.queue}:${String(n)}`));
      expect(await deadLetters.show(ids.at(-1) ?? '')).toMatchObject({ decoded: { n: count - 1 } });
      // What is looked at is held for a moment, and then there for others.
      await vi.waitFor(
        async () => {
          expect((await channel.checkQueue(definition.deadLetterQueue)).messageCount).toBe(count);
        },
        { timeout: WAIT_MS_MAX },
      );
      const looks = vi.spyOn(LetterLook, 'open');
      for (const id of ids.slice(-redriven))
        expect(await deadLetters.redrive(id, { why: 'mended' })).toEqual({ kind: 'ok' });
      expect(looks.mock.calls.length).toBeLessThanOrEqual(looksMax);
      await vi.waitFor(
        () => {
          expect(handled.size).toBe(redriven);
        },
        { timeout: WAIT_MS_MAX },
      );
      const open = (await deadLetters.list()).filter(({ state }) => state === 'open');
      expect(new Set(open.map(({ id }) => id))).toEqual(new Set(ids.slice(0, -redriven)));
    },
  );
});

describe('a dead-letter queue that is there already', () => {
  /** Declares the dead-letter queue as `args` say, puts a letter into it, and then opens a work queue on it. */
  const openOn = async (
    args: Readonly<Record<string, unknown>>,
  ): Promise<{
    definition: QueueDefinition;
    queue: WorkQueue;
    logged: string[];
    letters: () => Promise<number>;
  }> => {
    const definition = definitionOf('former');
    const connection = await connect(engines.amqpUrl);
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue(definition.deadLetterQueue, { durable: true, arguments: args });
    channel.sendToQueue(definition.deadLetterQueue, Buffer.from('unseen'), { persistent: true });
    await channel.waitForConfirms();
    const logged: string[] = [];
    const logger = pino({ level: 'warn' }, { write: (line) => void logged.push(line) });
    const queue = openWorkQueue({ url: engines.amqpUrl, name: 'former', logger });
    queue.consume(definition, { handle: () => Promise.resolve(deadLetter('poison')) });
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
    await queue.ready({ signal: AbortSignal.timeout(WAIT_MS_MAX) });
    expect(logged.filter((line) => line.includes('has no bound'))).toHaveLength(1);
    const message = { messageId: randomUUID(), type: 't', body: Buffer.from('x'), correlationId: 'c' };
    await queue.publisher(definition).publish(message);
    await vi.waitFor(
      async () => {
        expect(await letters()).toBe(2);
      },
      { timeout: WAIT_MS_MAX },
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
      { timeout: WAIT_MS_MAX },
    );
    expect(await letters()).toBe(1);
  });
});

describe('the letters of a queue', () => {
  it.each(['died', 'frozen'])(
    'are looked at again after the broker has %s while it was asked to end a look',
    async (how) => {
      const definition = definitionOf(how);
      const broker = await openCuttable(engines.amqpUrl);
      const queue = openWorkQueue({ url: broker.url, name: 'looks', logger: pino({ level: 'silent' }) });
      onTestFinished(async () => {
        await queue.close();
        broker.close();
      });
      queue.consume(definition, { handle: () => Promise.resolve(deadLetter('broken')) });
      await queue.ready({ signal: AbortSignal.timeout(WAIT_MS_MAX) });
      await queue.publisher(definition).publish(messageOf());
      const letters = () => queue.deadLetters.list().catch((): readonly [] => []); // while the broker is away
      await expect.poll(letters, { timeout: WAIT_MS_MAX }).toHaveLength(1);
      const [letter] = await letters();
      expect(await queue.deadLetters.show(letter?.id ?? '')).toBeDefined();
      broker.silence();
      await expect.poll(() => broker.isAskedToClose(), { timeout: WAIT_MS_MAX }).toBe(true);
      if (how === 'died') broker.cut();
      await expect.poll(letters, { timeout: WAIT_MS_MAX }).toHaveLength(1);
    },
  );
});

describe('a message from elsewhere whose headers amqplib reads and does not write', () => {
  it('becomes one dead letter with our reason and its headers, and nothing else comes back', async () => {
    const definition = definitionOf('typed-header');
    const queue = openWorkQueue({ url: engines.amqpUrl, name: 'typed', logger: pino({ level: 'silent' }) });
    onTestFinished(() => queue.close());
    const calls: string[] = [];
    const held = Promise.withResolvers<Verdict>();
    queue.consume(definition, {
      handle: ({ messageId, body }) => {
        calls.push(messageId);
        if (messageId === 'neighbour') return held.promise;
        return Promise.resolve(body.toString() === 'not json' ? deadLetter('not JSON') : done);
      },
    });
    await queue.ready({ signal: AbortSignal.timeout(WAIT_MS_MAX) });
    const api = `${engines.rabbitmqManagementUrl}/api`;
    const post = async (path: string, body: object): Promise<unknown> => {
      const response = await fetch(`${api}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: rabbitmqAuthorization },
        body: JSON.stringify(body),
      });
      expect(response.status).toBe(200);
      return response.json();
    };
    const publish = (messageId: string, payload: string, headers: object): Promise<unknown> =>
      post(`/exchanges/%2F/${definition.exchange}/publish`, {
        routing_key: definition.routingKey,
        payload,
        payload_encoding: 'string',
        properties: { message_id: messageId, headers },
      });
    await publish('neighbour', '{}', {});
    await publish('poison', 'not json', { meta: { '!': 'x' }, own: 'header' });
    await publish('after', '{}', {});
    const letters = (): Promise<unknown> =>
      post(`/queues/%2F/${definition.deadLetterQueue}/get`, {
        count: 10,
        ackmode: 'ack_requeue_true',
        encoding: 'auto',
      });
    await vi.waitFor(
      async () => {
        expect(await letters()).toMatchObject([
          {
            payload: 'not json',
            properties: {
              message_id: 'poison',
              headers: { meta: { '!': 'x' }, own: 'header', 'x-error-reason': 'not JSON' },
            },
          },
        ]);
      },
      { timeout: WAIT_MS_MAX },
    );
    held.resolve(done);
    await queue.close();
    expect(calls).toEqual(['neighbour', 'poison', 'after']);
  });
});

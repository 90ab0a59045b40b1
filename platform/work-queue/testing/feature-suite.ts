import { deadLetter, done, notYet, type AsyncHops, type Verdict } from '@parley/delivery';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type IncomingMessage, PublishError, type QueueDefinition, type WorkQueue } from '../src/ports.ts';
import { collect, consumeBeside, definitionOf, messageOf } from './fixtures.ts';
import { letterFeatures } from './letter-features.ts';
import { captureSpans } from './spans.ts';

/** What the suite needs of the broker under test besides the port itself. */
export interface WorkQueueHarness {
  start(): Promise<void>;
  stop(): Promise<void>;
  open(options?: { readonly asyncHops?: AsyncHops }): WorkQueue;
  /** Takes what has become a dead letter, oldest first. */
  deadLetters(definition: QueueDefinition): Promise<readonly Omit<IncomingMessage, 'attempt'>[]>;
  /** A client takes one message and dies without settling it. Resolves with its message id. */
  crashHolding(definition: QueueDefinition): Promise<string | undefined>;
  /** Removes the binding of a declared queue. */
  unbind(definition: QueueDefinition): Promise<void>;
}

/** Of a wait for what is to happen: far longer than it takes on the slowest machine. */
const TIMEOUT_MS = 120_000;

const rejection = async (promise: Promise<void>): Promise<unknown> => {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('a rejection was expected');
};

/** What every adapter of the work queue guarantees. */
export const workQueueFeatures = (name: string, harness: WorkQueueHarness): void => {
  describe(`work queue on ${name}`, { timeout: 5 * TIMEOUT_MS }, () => {
    const until = (check: () => void | Promise<void>): Promise<void> =>
      vi.waitFor(check, { timeout: TIMEOUT_MS, interval: 20 });
    const opened: WorkQueue[] = [];
    const open = async (options?: { readonly asyncHops?: AsyncHops }): Promise<WorkQueue> => {
      const queue = harness.open(options);
      opened.push(queue);
      await queue.ready({ signal: AbortSignal.timeout(TIMEOUT_MS) });
      return queue;
    };
    const spans = captureSpans();

    beforeAll(() => harness.start());
    afterAll(async () => {
      await Promise.all(opened.map((queue) => queue.close({ deadlineMs: 1_000 })));
      await harness.stop();
    });

    it('delivers a confirmed message with its body, properties and headers', async () => {
      const definition = definitionOf('delivers');
      const queue = await open();
      const sent = messageOf({ body: Buffer.from([0, 255, 10, 13]), headers: { own: 'header' } });
      await queue.publisher(definition).publish(sent);
      const seen = collect(queue, definition);
      await until(() => {
        expect(seen).toHaveLength(1);
      });
      const { messageId, type, correlationId } = sent;
      expect(seen[0]).toMatchObject({ messageId, type, correlationId, redelivered: false, attempt: 1 });
      expect(seen[0]?.body.equals(sent.body)).toBe(true);
      expect(seen[0]?.headers).toMatchObject({ own: 'header' });
    });

    it('delivers a message that was published twice twice, under one message id', async () => {
      const definition = definitionOf('duplicate');
      const queue = await open();
      const sent = messageOf();
      await queue.publisher(definition).publish(sent);
      await queue.publisher(definition).publish(sent);
      const seen = collect(queue, definition);
      await until(() => {
        expect(seen.map((message) => message.messageId)).toEqual([sent.messageId, sent.messageId]);
      });
    });

    it('hands a message to another consumer when the one that holds it crashes', async () => {
      const definition = definitionOf('crash');
      const queue = await open();
      const sent = messageOf();
      await queue.publisher(definition).publish(sent);
      expect(await harness.crashHolding(definition)).toBe(sent.messageId);
      const seen = collect(queue, definition);
      await until(() => {
        expect(seen[0]).toMatchObject({ messageId: sent.messageId, redelivered: true });
      });
    });

    it('calls a handler that rejects again while it holds the message, and acknowledges the success', async () => {
      const definition = definitionOf('retry');
      const queue = await open();
      const attempts: number[] = [];
      queue.consume(definition, {
        attempts: 3,
        retryDelayMs: 5,
        handle: ({ attempt }) => {
          attempts.push(attempt);
          return attempt < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve(done);
        },
      });
      await queue.publisher(definition).publish(messageOf());
      await until(() => {
        expect(attempts).toEqual([1, 2, 3]);
      });
      expect(await harness.deadLetters(definition)).toEqual([]);
    });

    it('does not count calls of a handler that has to wait for something else', async () => {
      const definition = definitionOf('not-yet');
      const queue = await open();
      let calls = 0;
      queue.consume(definition, {
        attempts: 1,
        retryDelayMs: 5,
        handle: () => {
          calls += 1;
          return calls < 5 ? Promise.resolve(notYet('the log is away')) : Promise.resolve(done);
        },
      });
      await queue.publisher(definition).publish(messageOf());
      await until(() => {
        expect(calls).toBe(5);
      });
      expect(await harness.deadLetters(definition)).toEqual([]);
    });

    it('makes a dead letter of a message whose attempts are exhausted, with the full original and the error', async () => {
      const definition = definitionOf('exhausted');
      const queue = await open();
      queue.consume(definition, {
        attempts: 2,
        retryDelayMs: 5,
        handle: () => Promise.reject(new Error('always broken')),
      });
      const sent = messageOf({ body: Buffer.from('not even JSON \u0000'), headers: { own: 'header' } });
      await queue.publisher(definition).publish(sent);
      let dead: readonly Omit<IncomingMessage, 'attempt'>[] = [];
      await until(async () => {
        dead = await harness.deadLetters(definition);
        expect(dead).toHaveLength(1);
      });
      const { messageId, type, correlationId } = sent;
      expect(dead[0]).toMatchObject({ messageId, type, correlationId });
      expect(dead[0]?.body.equals(sent.body)).toBe(true);
      expect(dead[0]?.headers).toMatchObject({
        own: 'header',
        'x-error-reason': 'attempts-exhausted',
        'x-error-message': 'always broken',
        'x-error-attempts': '2',
      });
    });

    it('makes a dead letter at once when the handler asks for it', async () => {
      const definition = definitionOf('asked');
      const queue = await open();
      queue.consume(definition, { handle: () => Promise.resolve(deadLetter('unreadable')) });
      await queue.publisher(definition).publish(messageOf());
      await until(async () => {
        const [dead] = await harness.deadLetters(definition);
        expect(dead?.headers).toMatchObject({ 'x-error-reason': 'unreadable', 'x-error-attempts': '1' });
      });
    });

    it('makes a dead letter of a message that has no room for the reason, and gives back nothing else for it', async () => {
      const definition = definitionOf('no-room');
      const queue = await open();
      const release = Promise.withResolvers<undefined>();
      const calls: string[] = [];
      const full = messageOf({ headers: { filled: 'x'.repeat(65_000) } });
      const other = messageOf();
      queue.consume(definition, {
        handle: async ({ messageId }) => {
          calls.push(messageId);
          if (messageId === full.messageId) return deadLetter('unreadable '.repeat(60));
          await release.promise;
          return done;
        },
      });
      const publisher = queue.publisher(definition);
      await publisher.publish(other);
      await publisher.publish(full);
      await until(async () => {
        const [dead] = await harness.deadLetters(definition);
        expect(dead).toMatchObject({ messageId: full.messageId, headers: full.headers });
      });
      release.resolve(undefined);
      await queue.close();
      expect(calls).toEqual([other.messageId, full.messageId]);
    });

    letterFeatures({ open, until });

    it('bounds the reason of a dead letter and lets no control character into its headers', async () => {
      const definition = definitionOf('reason');
      const queue = await open();
      const reason = `unknown key "a\r\nb\u0000${'x'.repeat(200_000)}"`;
      queue.consume(definition, { handle: () => Promise.resolve(deadLetter(reason)) });
      const sent = messageOf();
      await queue.publisher(definition).publish(sent);
      await until(async () => {
        const [dead] = await harness.deadLetters(definition);
        expect(dead?.messageId).toBe(sent.messageId);
        expect(dead?.headers['x-error-reason']).toBe(`unknown key "a  b ${'x'.repeat(482)}`);
      });
    });

    it('holds back what is dead while its queue is full, says so, works on the rest, and loses none', async () => {
      const definition = { ...definitionOf('full'), deadLettersMax: 1 };
      const queue = await open();
      const calls: string[] = [];
      queue.consume(definition, {
        handle: ({ messageId, type }) => {
          calls.push(messageId);
          return Promise.resolve(type === 'Poison' ? deadLetter('poison') : done);
        },
      });
      const poison = Array.from({ length: 5 }, () => messageOf({ type: 'Poison' }));
      const publisher = queue.publisher(definition);
      for (const message of poison) await publisher.publish(message);
      await until(() => {
        expect(queue.health()).toMatchObject({
          ready: true,
          waitingFor: expect.stringContaining(definition.deadLetterQueue) as unknown,
        });
      });
      const good = messageOf();
      await publisher.publish(good);
      await until(() => {
        expect(calls).toContain(good.messageId);
      });
      const dead: string[] = [];
      await until(async () => {
        dead.push(...(await harness.deadLetters(definition)).map(({ messageId }) => messageId));
        expect(new Set(dead)).toEqual(new Set(poison.map(({ messageId }) => messageId)));
      });
      await until(() => {
        expect(queue.health()).toEqual({ ready: true, waitingFor: undefined });
      });
      expect(dead).toHaveLength(poison.length);
      expect(calls).toHaveLength(poison.length + 1);
    });

    it('gives back a message that waits for something else, and nothing but it, once held for long enough', async () => {
      const definition = definitionOf('held');
      const queue = await open();
      const { kept, calls, release } = consumeBeside(queue, definition, {
        heldMsMax: 200,
        retryDelayMs: 5,
        handle: ({ redelivered }) =>
          redelivered ? Promise.resolve(done) : Promise.resolve(notYet('the log is away')),
      });
      const waiting = messageOf();
      for (const message of [kept, waiting]) await queue.publisher(definition).publish(message);
      await until(() => {
        const { messageId } = waiting;
        expect(calls.at(-1)).toMatchObject({ messageId, redelivered: true, attempt: 1 });
      });
      release();
      await queue.close();
      expect(calls.filter(({ messageId }) => messageId === kept.messageId)).toHaveLength(1);
      expect(await harness.deadLetters(definition)).toEqual([]);
    });

    it('gives back a dead message without room, and nothing but it, once held for long enough, and holds it again', async () => {
      const definition = { ...definitionOf('full-held'), deadLettersMax: 1 };
      const queue = await open();
      const { kept, calls, release } = consumeBeside(queue, definition, {
        heldMsMax: 1_000,
        handle: () => Promise.resolve(deadLetter('poison')),
      });
      const poison = Array.from({ length: 5 }, () => messageOf());
      for (const message of [kept, ...poison]) await queue.publisher(definition).publish(message);
      await until(() => {
        expect(calls.some(({ redelivered }) => redelivered)).toBe(true);
        expect(queue.health().waitingFor).toContain(definition.deadLetterQueue);
      });
      const reasons = new Map<string, unknown>();
      await until(async () => {
        for (const { messageId, headers } of await harness.deadLetters(definition))
          reasons.set(messageId, headers['x-error-reason']);
        expect(reasons).toEqual(new Map(poison.map(({ messageId }) => [messageId, 'poison'])));
      });
      release();
      await queue.close();
      expect(calls.filter(({ messageId }) => messageId === kept.messageId)).toHaveLength(1);
    });

    it('gives a dead message back when it closes while there is no room for it', async () => {
      const definition = { ...definitionOf('full-close'), deadLettersMax: 1 };
      const queue = await open();
      queue.consume(definition, { handle: () => Promise.resolve(deadLetter('poison')) });
      const poison = Array.from({ length: 5 }, () => messageOf());
      for (const message of poison) await queue.publisher(definition).publish(message);
      await until(() => {
        expect(queue.health().waitingFor).toContain(definition.deadLetterQueue);
      });
      let closed = false;
      void queue.close({ deadlineMs: 2 * TIMEOUT_MS }).then(() => (closed = true));
      await until(() => {
        expect(closed).toBe(true); // not by its deadline, which disconnects and so gives back in any case
      });
      const ids = (await harness.deadLetters(definition)).map(({ messageId }) => messageId);
      const seen = collect(await open(), definition);
      await until(() => {
        const all = [...ids, ...seen.map(({ messageId }) => messageId)];
        expect(new Set(all)).toEqual(new Set(poison.map(({ messageId }) => messageId)));
      });
    });

    it('refuses a message that no queue would get as unroutable, and has the queue back for the next one', async () => {
      const definition = definitionOf('unroutable');
      const queue = await open();
      const publisher = queue.publisher(definition);
      await publisher.publish(messageOf());
      await harness.unbind(definition);
      const error = await rejection(publisher.publish(messageOf()));
      expect(error).toBeInstanceOf(PublishError);
      expect(error).toMatchObject({ reason: 'unroutable', retryable: true });
      await publisher.publish(messageOf());
    });

    it('refuses to publish once closed', async () => {
      const queue = await open();
      const publisher = queue.publisher(definitionOf('closed'));
      await queue.close();
      expect(await rejection(publisher.publish(messageOf()))).toMatchObject({
        reason: 'closed',
        retryable: false,
      });
      expect(queue.health().ready).toBe(false);
    });

    it('lets a handler under way finish when it closes', async () => {
      const definition = definitionOf('drain');
      const queue = await open();
      const release = Promise.withResolvers<Verdict>();
      const started = Promise.withResolvers<undefined>();
      queue.consume(definition, {
        handle: () => {
          started.resolve(undefined);
          return release.promise;
        },
      });
      await queue.publisher(definition).publish(messageOf());
      await started.promise;
      const closing = queue.close({ deadlineMs: TIMEOUT_MS });
      release.resolve(done);
      await closing;
      const next = await open();
      const seen = collect(next, definition);
      const marker = messageOf();
      await next.publisher(definition).publish(marker);
      await until(() => {
        expect(seen.map((message) => message.messageId)).toEqual([marker.messageId]);
      });
    });

    it.each(['child', 'link'] as const)('connects the consumer to the publisher as %s', async (asyncHops) => {
      spans.reset();
      const definition = definitionOf('trace');
      const queue = await open({ asyncHops });
      const seen = collect(queue, definition);
      await queue.publisher(definition).publish(messageOf());
      await until(() => {
        expect(seen).toHaveLength(1);
        expect(spans.named(`process ${definition.queue}`)).toHaveLength(1);
      });
      const [produced] = spans.named(`publish ${definition.queue}`);
      const [consumed] = spans.named(`process ${definition.queue}`);
      expect(produced?.attributes['messaging.system']).toBe('rabbitmq');
      const origin = produced?.spanContext();
      if (asyncHops === 'child') expect(consumed?.parentSpanContext?.spanId).toBe(origin?.spanId);
      else expect(consumed?.links.map((link) => link.context.spanId)).toEqual([origin?.spanId]);
      expect(consumed?.spanContext().traceId === origin?.traceId).toBe(asyncHops === 'child');
    });
  });
};

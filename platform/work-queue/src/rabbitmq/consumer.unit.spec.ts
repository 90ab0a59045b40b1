import { done } from '@parley/delivery';
import pino from 'pino';
import { expect, it, vi } from 'vitest';
import { definitionOf } from '../../testing/fixtures.ts';
import { Consumer } from './consumer.ts';
import type { Session } from './session.ts';

it('a consumer whose broker leaves its leave unanswered has stopped at its deadline', async () => {
  const consumer = new Consumer(
    definitionOf('silent'),
    { handle: () => Promise.resolve(done) },
    { logger: pino({ level: 'silent' }), hops: 'child' },
  );
  const cancel = vi.fn(() => new Promise(() => undefined));
  const channel = {
    prefetch: () => Promise.resolve(),
    consume: () => Promise.resolve({}),
    cancel,
  };
  const session = {
    channel: () => Promise.resolve(channel),
    answered: (answer: Promise<unknown>) => answer,
    signal: new AbortController().signal,
  };
  await consumer.attach(session as unknown as Session); // what attaching asks of it
  await consumer.stop(10);
  expect(cancel).toHaveBeenCalledTimes(1);
});

it('a consumer that is stopped while it attaches does not begin to consume', async () => {
  const consumer = new Consumer(
    definitionOf('early'),
    { handle: () => Promise.resolve(done) },
    { logger: pino({ level: 'silent' }), hops: 'child' },
  );
  const answer = Promise.withResolvers<undefined>();
  const consume = vi.fn(() => Promise.resolve({}));
  const channel = { prefetch: () => answer.promise, consume, cancel: () => Promise.resolve() };
  const session = {
    channel: () => Promise.resolve(channel),
    answered: (asked: Promise<unknown>) => asked,
    signal: new AbortController().signal,
  };
  const attaching = consumer.attach(session as unknown as Session); // what attaching asks of it
  const stopping = consumer.stop(1_000);
  answer.resolve(undefined);
  await Promise.all([attaching, stopping]);
  expect(consume).not.toHaveBeenCalled();
  expect(consumer.active).toBe(false);
});

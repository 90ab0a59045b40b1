import { done } from '@parley/delivery';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { counterOf, countedTopic } from '../../testing/counter.ts';
import { run } from '../../testing/harness.ts';
import { createMemoryBroker, openMemoryLog } from '../memory/open.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Longer than a member that has lost a partition waits for a call on it. */
const LEFT_MS = 5000;

it('of two events that hang at one position of a log that was cut, the one that is there is told until it ends', async () => {
  const topic = { ...countedTopic('reactor'), partitions: 1 };
  const broker = createMemoryBroker();
  const log = openMemoryLog({ broker, limits: { handleDeadlineMs: 1000 } });
  const counters = log.aggregate(counterOf(topic));
  const calls: (PromiseWithResolvers<undefined> & { readonly signal: AbortSignal })[] = [];
  log.react({
    group: 'g',
    topic,
    handle: async (_event, { signal }) => {
      const call = { ...Promise.withResolvers<undefined>(), signal };
      calls.push(call);
      await call.promise;
      return done;
    },
  });
  await log.start();
  await run(counters, 'gone', 1);
  await expect.poll(() => calls.length).toBe(1);
  const release = broker.takeGroup('g');
  await vi.advanceTimersByTimeAsync(LEFT_MS);
  broker.truncate(topic.name, 0, 0);
  release();
  await expect.poll(async () => (await run(counters, 'now', 1)).kind).toBe('accepted');
  await expect.poll(() => calls.length).toBe(2);
  await vi.advanceTimersByTimeAsync(1000);
  expect(calls.map(({ signal }) => signal.aborted)).toEqual([true, true]);
  calls[0]?.resolve(undefined);
  await vi.advanceTimersByTimeAsync(0);
  const [reaction] = log.health().reactions;
  expect(reaction?.stalled).toMatchObject({ position: { partition: 0, offset: 0 }, attempt: 1 });
  expect(log.health().waitingFor).toContain(`the reaction g to handle ${topic.name}/0@0`);
  calls[1]?.resolve(undefined);
  await expect.poll(() => log.health().reactions).toMatchObject([{ stalled: undefined }]);
  expect(log.health().waitingFor).toBeUndefined();
  await log.close();
});

import type { setTimeout as wait } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import { FetchPace } from './fetch-pace.ts';

const EVERY_MS = 25;

/** On a clock that stands still otherwise. */
const setUp = () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  let restedMs = 0;
  const pause = <T>(ms = 0, value?: T, options: { readonly signal?: AbortSignal } = {}): Promise<T> => {
    if (options.signal?.aborted === true) return Promise.reject(new Error('aborted'));
    restedMs += ms;
    vi.advanceTimersByTime(ms);
    return Promise.resolve(value as T);
  };
  const pace = new FetchPace(EVERY_MS, pause as typeof wait);
  /** Rests of what is done, in ms. */
  const restIn = async (work: () => Promise<unknown>): Promise<number> => {
    const beforeMs = restedMs;
    await work();
    return restedMs - beforeMs;
  };
  /** Handles batches of so many records each side by side. @returns how long the consumer rests behind them, in ms */
  const restOf = (
    batches: readonly number[],
    { tookMs = 0, signal }: { tookMs?: number; signal?: AbortSignal } = {},
  ): Promise<number> =>
    restIn(async () => {
      const handled = Promise.withResolvers<undefined>();
      const taken = batches.map((records) => pace.paced(records, () => handled.promise, signal));
      vi.advanceTimersByTime(tookMs);
      handled.resolve(undefined);
      await Promise.all(taken);
    });
  const quiet = (): void => {
    vi.advanceTimersByTime(3 * EVERY_MS);
  };
  return { pace, restIn, restOf, quiet };
};

it('a batch long after the last one is fetched on behind at once, one soon after it rests', async () => {
  const { restOf, quiet } = setUp();
  expect(await restOf([1])).toBe(0);
  expect(await restOf([1])).toBe(EVERY_MS);
  quiet();
  expect(await restOf([1])).toBe(0);
});

it('the batches of one answer rest together', async () => {
  const { restOf } = setUp();
  await restOf([1]);
  expect(await restOf([1, 2, 3])).toBe(EVERY_MS);
});

it('behind several records it rests as long as they took, at most two paces', async () => {
  const { restOf } = setUp();
  expect(await restOf([4], { tookMs: 40 })).toBe(40);
  expect(await restOf([1, 1, 2], { tookMs: 35 })).toBe(35);
  expect(await restOf([2, 2], { tookMs: 300 })).toBe(2 * EVERY_MS);
});

it('behind few records it does not, however many there were before or beside a batch that has ended', async () => {
  const { pace, restIn, restOf, quiet } = setUp();
  await restOf([2, 2], { tookMs: 40 });
  quiet();
  expect(await restOf([1, 1], { tookMs: 40 })).toBe(0);
  const slow = Promise.withResolvers<undefined>();
  const slowBatch = pace.paced(1, () => slow.promise);
  for (let n = 0; n < 5; n++) {
    quiet();
    expect(await restOf([1], { tookMs: 40 })).toBe(0);
  }
  quiet();
  slow.resolve(undefined);
  expect(await restIn(() => slowBatch)).toBe(0);
});

it('an answer of many never rests, nor does a consumer that ends', async () => {
  const { restOf } = setUp();
  await restOf([1]);
  expect(await restOf([48, 2], { tookMs: 40 })).toBe(0);
  expect(await restOf([4], { tookMs: 40, signal: AbortSignal.abort() })).toBe(0);
});

it('a batch that failed does not rest, and its records are no longer in flight', async () => {
  const { pace, restIn, restOf, quiet } = setUp();
  const failed = new Error('not handled');
  const failing = async (): Promise<void> => {
    await expect(pace.paced(4, () => Promise.reject(failed))).rejects.toBe(failed);
  };
  await restOf([1]);
  expect(await restIn(failing)).toBe(0);
  quiet();
  expect(await restOf([1], { tookMs: 40 })).toBe(0);
});

import { expect, it, onTestFinished, vi } from 'vitest';
import { FetchPace } from './fetch-pace.ts';

const EVERY_MS = 25;

/** On a clock that stands still otherwise. */
const setUp = () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const rests: number[] = [];
  const pace = new FetchPace(EVERY_MS, (ms = 0, value, { signal } = {}) => {
    if (signal?.aborted === true) return Promise.reject(new Error('aborted'));
    rests.push(ms);
    vi.advanceTimersByTime(ms);
    return Promise.resolve(value as never);
  });
  /** Takes batches of so many records each side by side. @returns how long the consumer rests behind them, in ms */
  const restOf = async (
    batches: readonly number[],
    { tookMs = 0, signal }: { tookMs?: number; signal?: AbortSignal } = {},
  ): Promise<number> => {
    const handled = Promise.withResolvers<undefined>();
    const taken = batches.map((records) => pace.take(records, () => handled.promise, signal));
    vi.advanceTimersByTime(tookMs);
    handled.resolve(undefined);
    await Promise.all(taken);
    return rests.splice(0).reduce((sum, ms) => sum + ms, 0);
  };
  return { pace, restOf };
};

it('a batch long after the last one is fetched on behind at once, one soon after it rests', async () => {
  const { restOf } = setUp();
  expect(await restOf([1])).toBe(0);
  expect(await restOf([1])).toBe(EVERY_MS);
  vi.advanceTimersByTime(3 * EVERY_MS);
  expect(await restOf([1])).toBe(0);
});

it('the batches of one answer rest together', async () => {
  const { restOf } = setUp();
  await restOf([1]);
  expect(await restOf([1, 2, 3])).toBe(EVERY_MS);
});

it('behind several records it rests as long as they took, at most twice the pace; behind one alone it does not', async () => {
  const { restOf } = setUp();
  expect(await restOf([1], { tookMs: 40 })).toBe(0);
  vi.advanceTimersByTime(3 * EVERY_MS);
  expect(await restOf([2], { tookMs: 40 })).toBe(40);
  expect(await restOf([1, 1], { tookMs: 35 })).toBe(35);
  expect(await restOf([1, 1], { tookMs: 300 })).toBe(2 * EVERY_MS);
});

it('a batch of many never rests, nor does one that has failed or whose consumer ends', async () => {
  const { pace, restOf } = setUp();
  await restOf([1]);
  expect(await restOf([50], { tookMs: 40 })).toBe(0);
  await restOf([1]);
  const failed = new Error('not handled');
  await expect(pace.take(2, () => Promise.reject(failed))).rejects.toBe(failed);
  expect(await restOf([2], { tookMs: 40, signal: AbortSignal.abort() })).toBe(0);
});

import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import { FetchPace } from './fetch-pace.ts';

const EVERY_MS = 25;

/** On a clock that stands still otherwise. */
const setUp = () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const pace = new FetchPace(EVERY_MS);
  /** Whether it lasts longer than this turn of the event loop. */
  const rests = async (resting: Promise<void>): Promise<boolean> => {
    const outcome = await Promise.race([resting.then(() => false), nextTurn(true)]);
    await resting;
    return outcome;
  };
  return { pace, rests };
};

it('a batch long after the last one is fetched on behind at once, one soon after it rests', async () => {
  const { pace, rests } = setUp();
  expect(await rests(pace.rest(1))).toBe(false);
  expect(await rests(pace.rest(1))).toBe(true);
  vi.advanceTimersByTime(3 * EVERY_MS);
  expect(await rests(pace.rest(1))).toBe(false);
});

it('the batches of one answer rest together', async () => {
  const { pace, rests } = setUp();
  await pace.rest(1);
  const together = [1, 2, 3].map((records) => pace.rest(records));
  expect(await rests(Promise.all(together).then(() => undefined))).toBe(true);
  vi.advanceTimersByTime(2 * EVERY_MS); // one rest has put the next fetch off by this, and not three
  expect(await rests(pace.rest(1))).toBe(false);
});

it('a batch of many never rests, nor does one whose consumer ends', async () => {
  const { pace, rests } = setUp();
  await pace.rest(1);
  expect(await rests(pace.rest(50))).toBe(false);
  const ending = new AbortController();
  const resting = pace.rest(1, ending.signal);
  ending.abort();
  expect(await rests(resting)).toBe(false);
});

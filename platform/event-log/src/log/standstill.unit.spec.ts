import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LogEnds } from './log-ends.ts';
import { StandstillWatch } from './standstill.ts';

const LIMIT_MS = 10_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A reader and a log whose answers can be held back. */
const set = () => {
  const state = { next: 0, end: 0, answering: Promise.resolve() };
  const ends = new LogEnds(async () => {
    await state.answering;
    return [state.end];
  }, Date.now);
  const watch = new StandstillWatch({ ends, limitMs: LIMIT_MS });
  watch.add({
    what: 'reader',
    topic: 't',
    standsAt: ([end = 0]) => (state.next < end ? state.next : undefined),
    awaits: () => 'more',
  });
  watch.start();
  return { state, watch };
};

it('a reader that is at the end, or goes on however slowly, never stands still', async () => {
  const { state, watch } = set();
  await vi.advanceTimersByTimeAsync(10 * LIMIT_MS);
  expect(watch.standing).toEqual([]);
  state.end = 1000;
  for (; state.next < 20; state.next++) {
    await vi.advanceTimersByTimeAsync(LIMIT_MS / 2);
    expect(watch.standing).toEqual([]);
  }
});

it('a reader stands still after the limit, with the time told, and no longer once it has gone on', async () => {
  const { state, watch } = set();
  state.end = 1;
  await vi.advanceTimersByTimeAsync(LIMIT_MS - 1);
  expect(watch.standing).toEqual([]);
  await vi.advanceTimersByTimeAsync(LIMIT_MS);
  expect(watch.standing).toMatchObject([
    { topic: 't', waitingFor: expect.stringMatching(/^more, for 1\d s$/) as string },
  ]);
  state.next = 1;
  expect(watch.standing).toEqual([]); // at once, whenever the next look is
});

it('time in which the log does not answer does not count', async () => {
  const { state, watch } = set();
  state.end = 1;
  await vi.advanceTimersByTimeAsync(LIMIT_MS / 2);
  const away = Promise.withResolvers<undefined>();
  state.answering = away.promise.then(() => undefined);
  await vi.advanceTimersByTimeAsync(100 * LIMIT_MS);
  expect(watch.standing).toEqual([]);
  away.resolve(undefined);
  await vi.advanceTimersByTimeAsync(LIMIT_MS / 5);
  expect(watch.standing).toEqual([]); // it has the time to go on that it had left
  await vi.advanceTimersByTimeAsync(LIMIT_MS);
  expect(watch.standing).toHaveLength(1);
});

it('one that moved between two looks begins anew, also when it stands at once', async () => {
  const { state, watch } = set();
  state.end = 5;
  await vi.advanceTimersByTimeAsync(LIMIT_MS * 0.9);
  state.next = 1;
  await vi.advanceTimersByTimeAsync(LIMIT_MS * 0.9);
  expect(watch.standing).toEqual([]);
});

import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Breather } from './breather.ts';

/** As long as a slice may be, and a step of each that was due before it could look. */
const TURN_MS_MAX = 4 + 4;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

it('pieces of work that share one keep the event loop together no longer than one of them would', async () => {
  const breather = new Breather();
  let working = 4;
  const work = async (): Promise<void> => {
    for (let step = 0; step < 40; step++) {
      vi.advanceTimersByTime(1); // that is what a step takes
      await Promise.resolve();
      if (breather.due) await breather.pause();
    }
    working--;
  };
  const all = Promise.all(Array.from({ length: working }, work));
  const turnsMs: number[] = [];
  let beganAtMs = performance.now();
  while (working > 0) {
    await nextTurn();
    turnsMs.push(performance.now() - beganAtMs);
    beganAtMs = performance.now();
  }
  await all;
  expect(Math.max(...turnsMs)).toBeLessThanOrEqual(TURN_MS_MAX);
});

it('work that is in no hurry rests three times as long as it works, and no longer when it has to hurry', async () => {
  vi.useRealTimers();
  const breather = new Breather(undefined, 3);
  const startedAtMs = performance.now();
  for (let slice = 0; slice < 10; slice++) {
    while (!breather.due);
    await breather.pause();
  }
  expect(breather.workedMs).toBeGreaterThanOrEqual(10 * 4);
  expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(10 * (4 + 3 * 4 - 1)); // a timer may be early by one
  breather.hurry();
  let isOver = false;
  while (!breather.due);
  void breather.pause().then(() => (isOver = true));
  for (let turns = 0; turns < 2; turns++) await nextTurn();
  expect(isOver).toBe(true);
});

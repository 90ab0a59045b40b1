import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Breather } from './breather.ts';

/** As long as a slice may be, and a step of each that was due before it could look. */
const TURN_MS_MAX = 4 + 4;

/** The clock that a breather does not look at. */
const realMs = (): number => Number(process.hrtime.bigint()) / 1e6;

describe('work in slices', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** How long a pause behind a slice lasts. */
  const restMsAfter = async (sliceMs: number, breather: Breather): Promise<number> => {
    vi.advanceTimersByTime(sliceMs);
    const startedAtMs = realMs();
    await breather.pause();
    return realMs() - startedAtMs;
  };

  it('that share a breather keep the event loop together no longer than one of them would', async () => {
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

  it('rests as many lengths of a slice as it was told', async () => {
    expect(await restMsAfter(10, new Breather(undefined, 3))).toBeGreaterThanOrEqual(30 - 1); // a timer may be early by one
  });

  it('rests no longer than 50 ms, whatever the slice had to wait for', async () => {
    expect(await restMsAfter(1000, new Breather(undefined, 3))).toBeLessThan(1000);
  });

  it('rests no more when it has to hurry', async () => {
    const breather = new Breather(undefined, 3);
    breather.hurry();
    vi.advanceTimersByTime(10);
    let isOver = false;
    void breather.pause().then(() => (isOver = true));
    for (let turns = 0; turns < 2; turns++) await nextTurn();
    expect(isOver).toBe(true);
  });

  it('counts what every slice took, the one under way too, and no rest', async () => {
    const breather = new Breather(undefined, 1);
    for (const sliceMs of [5, 7]) {
      vi.advanceTimersByTime(sliceMs);
      const pausing = breather.pause();
      vi.advanceTimersByTime(1000);
      await pausing;
    }
    expect(breather.workedMs).toBe(12);
    vi.advanceTimersByTime(30);
    expect(breather.workedMs).toBe(42);
    expect(breather.longestSliceMs).toBe(7);
  });

  it('ends in the middle of a rest when it is given up', async () => {
    const abort = new AbortController();
    const breather = new Breather(abort.signal, 3);
    vi.advanceTimersByTime(10);
    const pausing = breather.pause();
    abort.abort();
    await expect(pausing).rejects.toMatchObject({ name: 'AbortError' });
  });
});

import { describe, expect, it } from 'vitest';
import { SharedAsk } from './shared-ask.ts';

const set = () => {
  const runs: PromiseWithResolvers<number>[] = [];
  let underWay = 0;
  let most = 0;
  const shared = new SharedAsk(async () => {
    most = Math.max(most, ++underWay);
    const run = Promise.withResolvers<number>();
    runs.push(run);
    return run.promise.finally(() => underWay--);
  });
  const answer = (run: number): void => runs[run]?.resolve(run);
  return { shared, runs, answer, most: () => most };
};

describe('a shared question', () => {
  it('asked while an answer is under way gets the next one, and all who wait share it', async () => {
    const { shared, runs, answer, most } = set();
    const first = shared.ask();
    const waiting = [shared.ask(), shared.ask()];
    const joined = shared.join();
    expect(runs).toHaveLength(1);
    answer(0);
    expect([await first, await joined]).toEqual([0, 0]);
    await expect.poll(() => runs.length).toBe(2);
    const later = shared.ask();
    answer(1);
    expect(await Promise.all(waiting)).toEqual([1, 1]);
    await expect.poll(() => runs.length).toBe(3);
    answer(2);
    expect(await later).toBe(2);
    expect(most()).toBe(1);
  });

  it('that fails is asked again for those who wait', async () => {
    const { shared, runs, answer } = set();
    const first = shared.ask();
    const second = shared.ask();
    runs[0]?.reject(new Error('no answer'));
    await expect(first).rejects.toThrow('no answer');
    await expect.poll(() => runs.length).toBe(2);
    answer(1);
    expect(await second).toBe(1);
  });
});

import { describe, expect, it } from 'vitest';
import { openLoop } from './open-loop.ts';

const { signal } = new AbortController();

describe('an open loop', () => {
  it('starts what is due although nothing before it has ended', async () => {
    const gate = Promise.withResolvers<undefined>();
    let started = 0;
    const all = openLoop({ perSecond: 1000, count: 20, signal }, async (index) => {
      if (++started === 20) gate.resolve(undefined);
      await gate.promise;
      return index;
    });
    expect(await all).toEqual(Array.from({ length: 20 }, (_, index) => index));
  });

  it('tells each operation when it was due, at the rate asked for, and counts from then', async () => {
    const seen = await openLoop({ perSecond: 200, count: 10, signal }, (_, dueAtMs) =>
      Promise.resolve({ dueAtMs, lateMs: performance.now() - dueAtMs }),
    );
    const first = seen[0]?.dueAtMs ?? 0;
    for (const [index, { dueAtMs, lateMs }] of seen.entries()) {
      expect(Math.abs(dueAtMs - first - index * 5)).toBeLessThan(2);
      expect(lateMs).toBeGreaterThanOrEqual(0);
    }
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    const all = openLoop({ perSecond: 1, count: 1000, signal: stop.signal }, () => Promise.resolve());
    stop.abort();
    await expect(all).rejects.toThrow('aborted');
  });
});

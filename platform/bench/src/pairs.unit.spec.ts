import { describe, expect, it } from 'vitest';
import { claimOf, CountMismatch, percentile, ResultMismatch, runClaim, spread, type Claim } from './pairs.ts';

const claim = (a: number, b: number, bound: Claim['bound'], order: string[] = []): Claim => ({
  title: 't',
  unit: 'x/s',
  bound,
  a: { name: 'a', run: () => (order.push('a'), Promise.resolve({ figure: a, count: 1, expected: 1 })) },
  b: { name: 'b', run: () => (order.push('b'), Promise.resolve({ figure: b, count: 1, expected: 1 })) },
});
const five = { pairs: 5, print: (): void => undefined, signal: new AbortController().signal };

describe('a paired claim', () => {
  it('holds exactly when the median ratio meets its bound', async () => {
    expect((await runClaim(claim(8, 10, { atLeast: 0.8 }), five)).holds).toBe(true);
    expect((await runClaim(claim(7.9, 10, { atLeast: 0.8 }), five)).holds).toBe(false);
    expect((await runClaim(claim(15, 10, { atMost: 1.5 }), five)).holds).toBe(true);
    expect((await runClaim(claim(15.1, 10, { atMost: 1.5 }), five)).holds).toBe(false);
  });

  it('warms each side up once and then alternates which side goes first', async () => {
    const order: string[] = [];
    await runClaim(claim(1, 1, { atLeast: 1 }, order), five);
    expect(order.join('')).toBe('ab' + 'ab' + 'ba' + 'ab' + 'ba' + 'ab');
  });

  it('fails when a side did not confirm what it was asked to do', async () => {
    const broken: Claim = {
      ...claim(1, 1, { atLeast: 1 }),
      b: { name: 'b', run: () => Promise.resolve({ figure: 1, count: 99, expected: 100 }) },
    };
    await expect(runClaim(broken, five)).rejects.toBeInstanceOf(CountMismatch);
  });

  it('fails when the sides did not come to the same result', async () => {
    const differing: Claim = {
      ...claim(1, 1, { atLeast: 1 }),
      a: { name: 'a', run: () => Promise.resolve({ figure: 1, count: 1, expected: 1, digest: 'x' }) },
      b: { name: 'b', run: () => Promise.resolve({ figure: 1, count: 1, expected: 1, digest: 'y' }) },
    };
    await expect(runClaim(differing, five)).rejects.toBeInstanceOf(ResultMismatch);
  });

  it('stops between two sides once it is told to', async () => {
    const order: string[] = [];
    const stop = new AbortController();
    const told = claim(1, 1, { atLeast: 1 }, order);
    const b = { name: 'b', run: () => (stop.abort(), told.b.run()) };
    await expect(runClaim({ ...told, b }, { ...five, signal: stop.signal })).rejects.toThrow('aborted');
    expect(order).toEqual(['a', 'b']);
  });

  it('judges what else was measured by the ratios of the same pairs', async () => {
    const side = (name: string, ...p50s: number[]) => ({
      name,
      run: () => {
        const p50Ms = p50s.shift() ?? Number.NaN;
        return Promise.resolve({ figure: 1, count: 1, expected: 1, also: { p50Ms } });
      },
    });
    const [a, b] = [side('a', 99, 12, 24, 30, 12, 12), side('b', 1, 10, 20, 20, 10, 10)];
    const result = await runClaim({ ...claim(1, 1, { atMost: 1.25 }), a, b }, five);
    const p50 = claimOf(result, { name: 'p50Ms', title: 'p50', unit: 'ms' });
    expect(p50).toMatchObject({ title: 'p50', ratio: { min: 1.2, median: 1.2, max: 1.5 }, holds: true });
    expect(p50.a).toMatchObject({ name: 'a', min: 12, median: 12, max: 30 });
    expect(() => claimOf(result, { name: 'p99Ms', title: '', unit: '' })).toThrow(RangeError);
  });

  it('refuses fewer than five pairs', async () => {
    await expect(runClaim(claim(1, 1, { atLeast: 1 }), { ...five, pairs: 4 })).rejects.toBeInstanceOf(
      RangeError,
    );
  });

  it('spreads unsorted figures into smallest, middle and largest', () => {
    expect(spread([3, 1, 2])).toEqual({ min: 1, median: 2, max: 3 });
  });

  it('takes percentiles by nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([0.5, 0.99, 1].map((quantile) => percentile(hundred, quantile))).toEqual([50, 99, 100]);
    expect(() => percentile([], 0.5)).toThrow(RangeError);
  });
});

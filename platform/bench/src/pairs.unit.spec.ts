import { describe, expect, it } from 'vitest';
import { CountMismatch, runClaim, spread, type Claim } from './pairs.ts';

const claim = (a: number, b: number, bound: Claim['bound'], order: string[] = []): Claim => ({
  title: 't',
  unit: 'x/s',
  bound,
  a: { name: 'a', run: () => (order.push('a'), Promise.resolve({ figure: a, count: 1, expected: 1 })) },
  b: { name: 'b', run: () => (order.push('b'), Promise.resolve({ figure: b, count: 1, expected: 1 })) },
});
const quiet = (): void => undefined;

describe('a paired claim', () => {
  it('holds exactly when the median ratio meets its bound', async () => {
    expect((await runClaim(claim(8, 10, { atLeast: 0.8 }), 5, quiet)).holds).toBe(true);
    expect((await runClaim(claim(7.9, 10, { atLeast: 0.8 }), 5, quiet)).holds).toBe(false);
    expect((await runClaim(claim(15, 10, { atMost: 1.5 }), 5, quiet)).holds).toBe(true);
    expect((await runClaim(claim(15.1, 10, { atMost: 1.5 }), 5, quiet)).holds).toBe(false);
  });

  it('warms each side up once and then alternates which side goes first', async () => {
    const order: string[] = [];
    await runClaim(claim(1, 1, { atLeast: 1 }, order), 5, quiet);
    expect(order.join('')).toBe('ab' + 'ab' + 'ba' + 'ab' + 'ba' + 'ab');
  });

  it('fails when a side did not confirm what it was asked to do', async () => {
    const broken: Claim = {
      ...claim(1, 1, { atLeast: 1 }),
      b: { name: 'b', run: () => Promise.resolve({ figure: 1, count: 99, expected: 100 }) },
    };
    await expect(runClaim(broken, 5, quiet)).rejects.toBeInstanceOf(CountMismatch);
  });

  it('refuses fewer than five pairs', async () => {
    await expect(runClaim(claim(1, 1, { atLeast: 1 }), 4, quiet)).rejects.toBeInstanceOf(RangeError);
  });

  it('spreads unsorted figures into smallest, middle and largest', () => {
    expect(spread([3, 1, 2])).toEqual({ min: 1, median: 2, max: 3 });
  });
});

import { describe, expect, it } from 'vitest';
import { isWarming, partOf } from './throughput.ts';

const measured = (perSecond: number) => ({
  figure: perSecond,
  count: 1,
  expected: 1,
  also: { p50Ms: perSecond },
});
const part = (clients: number, instances: number, ...rates: readonly number[]) =>
  partOf(
    { clients, instances },
    rates.map((rate) => [measured(rate), measured(100)]),
  );

describe('a part of the throughput benchmark', () => {
  it('holds or misses where something is asked of it', () => {
    expect([part(32, 1, 150), part(32, 1, 149), part(128, 1, 400), part(128, 1, 399)]).toMatchObject([
      { holds: true },
      { holds: false },
      { holds: true },
      { holds: false },
    ]);
  });

  it('is judged by the median of what its pairs came to', () => {
    expect(part(32, 1, 500, 140, 151, 130, 160)).toMatchObject({
      parley: { perSecond: { min: 130, median: 151, max: 500 }, also: { p50Ms: { median: 151 } } },
      ratio: { min: 1.3, median: 1.51, max: 5 },
      pairs: 5,
      holds: true,
    });
  });

  it.each([
    { clients: 16, instances: 1 },
    { clients: 32, instances: 2 },
  ])(
    'says of $clients clients at $instances instances, of which nothing is asked, neither',
    ({ clients, instances }) => {
      expect(part(clients, instances, 1)).not.toHaveProperty('holds');
    },
  );
});

it.each([
  { rates: [], is: true },
  { rates: [100, 90, 80, 100, 100, 100, 100], is: true },
  { rates: [100, 90, 80, 100, 110, 130, 150, 140], is: true },
  { rates: [100, 90, 80, 100, 110, 105, 106, 106], is: false },
  { rates: [110, 150, 160, 170, 180, 190, 230, 200], is: true },
  { rates: [110, 150, 160, 170, 180, 190, 230, 200, 235], is: false },
  { rates: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], is: true },
  { rates: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], is: false },
])('a side that came to $rates may still be compiled: $is', ({ rates, is }) => {
  expect(isWarming(rates)).toBe(is);
});

import { describe, expect, it } from 'vitest';
import { isWarming, partOf } from './throughput.ts';

const measured = (perSecond: number) => ({
  figure: perSecond,
  count: 1,
  expected: 1,
  also: { p50Ms: perSecond },
});
const part = (clients: number, instances: number, ...pairs: readonly (readonly [number, number])[]) =>
  partOf(
    { clients, instances },
    {
      a: pairs.map(([ofParley]) => measured(ofParley)),
      b: pairs.map(([, ofRival]) => measured(ofRival)),
      ratios: pairs.map(([ofParley, ofRival]) => ofParley / ofRival),
    },
  );

describe('a part of the throughput benchmark', () => {
  it('holds or misses where something is asked of it', () => {
    const rival = 100;
    expect([
      part(32, 1, [150, rival]),
      part(32, 1, [149, rival]),
      part(128, 1, [400, rival]),
      part(128, 1, [399, rival]),
    ]).toMatchObject([{ holds: true }, { holds: false }, { holds: true }, { holds: false }]);
  });

  it('is judged by the median of the ratios, not by the ratio of the medians', () => {
    expect(part(32, 1, [100, 100], [200, 50], [300, 400])).toMatchObject({
      parley: { min: 100, median: 200, max: 300, also: { p50Ms: { median: 200 } } },
      rival: { median: 100 },
      ratio: { min: 0.75, median: 1, max: 4 },
      pairs: 3,
      holds: false,
    });
  });

  it.each([
    { clients: 16, instances: 1 },
    { clients: 32, instances: 2 },
  ])(
    'says of $clients clients at $instances instances, of which nothing is asked, neither',
    ({ clients, instances }) => {
      expect(part(clients, instances, [1, 1])).not.toHaveProperty('holds');
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

import { orderEvents } from '@parley/contracts/topics';
import { describe, expect, it } from 'vitest';
import { exitCodes } from '../cli/exit.ts';
import { parseTime, parseUntil } from './until.ts';

describe('--until', () => {
  it.each([
    ['parley.order.events/3@17', { kind: 'position', topic: orderEvents, partition: 3, offset: 17 }],
    ['order/0@0', { kind: 'position', topic: orderEvents, partition: 0, offset: 0 }],
    ['2026-01-31T12:00:00Z', { kind: 'time', timeMs: Date.UTC(2026, 0, 31, 12) }],
    ['2026-01-31T12:00:00.250+02:00', { kind: 'time', timeMs: Date.UTC(2026, 0, 31, 10, 0, 0, 250) }],
    [
      'C5461A08-B50F-5908-B15A-A71515952AF3',
      { kind: 'event', eventId: 'c5461a08-b50f-5908-b15a-a71515952af3' },
    ],
  ])('%s has one meaning', (text, meaning) => {
    expect(parseUntil(text)).toEqual(meaning);
  });

  it.each([
    '17', // an offset of which partition, or a time?
    '1767225600000',
    '2026-01-31', // midnight where?
    '2026-01-31T12:00:00', // in which zone?
    '2026-01-31T12:00Z',
    '2026-02-30T12:00:00Z', // Date would take it for a day in March
    '2026-01-31T25:00:00Z',
    'order/4@0', // there are the partitions 0 to 3
    'order/1',
    'order@1',
    'nothing/0@1',
    'yesterday',
    '',
  ])('%j is refused as wrong usage', (text) => {
    expect(() => parseUntil(text)).toThrow(expect.objectContaining({ exitCode: exitCodes.usage }) as Error);
  });

  it('knows that the 29th of February depends on the year', () => {
    expect(parseTime('2028-02-29T00:00:00Z')).toBeDefined();
    expect(parseTime('2027-02-29T00:00:00Z')).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import { retryAfterMsFrom } from './retry-after.ts';

const nowMs = Date.UTC(2026, 10, 29, 8, 49, 30);

describe('a Retry-After', () => {
  it.each([
    ['0', 0],
    ['2', 2_000],
    ['999999', 999_999_000],
  ])('in seconds (%s) is %d ms', (value, ms) => {
    expect(retryAfterMsFrom(value, nowMs)).toBe(ms);
  });

  it.each([
    ['Sun, 29 Nov 2026 08:49:37 GMT', 7_000],
    ['Sunday, 29-Nov-26 08:49:37 GMT', 7_000],
    ['Sun Nov 29 08:49:37 2026', 7_000],
    ['Tue Dec  1 08:49:30 2026', 172_800_000],
    ['Sun, 29 Nov 2026 08:49:29 GMT', 0],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 0],
    ['Fri, 31 Dec 2999 23:59:59 GMT', 999_999_000],
  ])('as a date (%s) is what is left until then: %d ms, never less than 0', (value, ms) => {
    expect(retryAfterMsFrom(value, nowMs)).toBe(ms);
  });

  it.each([
    '',
    '-1',
    '1.5',
    '1e3',
    '1000000',
    'soon',
    '2026-11-29T08:49:37Z',
    'Sun, 29 Nov 2026',
    'Sun, 99 Foo 2026 08:49:37 GMT',
    'Sun, 29 Nov 2026 25:61:61 GMT',
  ])('that is neither (%j) asks for nothing', (value) => {
    expect(retryAfterMsFrom(value, nowMs)).toBeUndefined();
  });
});

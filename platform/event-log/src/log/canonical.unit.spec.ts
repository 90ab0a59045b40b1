import { expect, it } from 'vitest';
import { canonical } from './canonical.ts';

it.each([
  [new Date(1), new Date(2)],
  [Number.NaN, null],
  [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  [
    [1, 2],
    [2, 1],
  ],
])('tells %s and %s apart, also deep in a row', (one, other) => {
  expect(canonical(one)).not.toBe(canonical(other));
  expect(canonical({ at: [one] })).not.toBe(canonical({ at: [other] }));
  expect(canonical({ at: [one] })).toBe(canonical({ at: [structuredClone(one)] }));
});

it('is JSON, and the same whatever order the keys were written in', () => {
  const row = { b: new Date(0), a: { d: Number.NaN, c: 1 } };
  expect(canonical(row)).toBe(canonical({ a: { c: 1, d: Number.NaN }, b: new Date(0) }));
  expect(JSON.parse(canonical(row))).toEqual({ a: { c: 1, d: 'NaN' }, b: '1970-01-01T00:00:00.000Z' });
});

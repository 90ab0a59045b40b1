import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { KeyList } from '../snapshot/table.ts';
import { SortedKeys } from './sorted-keys.ts';

const ascending = (keys: Iterable<string>): string[] => [...new Set(keys)].sort();

const listOf = (keys: readonly string[]): KeyList => ({
  length: keys.length,
  keyAt: (index) => keys[index] ?? '',
  firstAfter: (key, orEqual = false) => keys.filter((one) => one < key || (one === key && !orEqual)).length,
  has: (key) => keys.includes(key),
});

const anyKey = fc.nat(60).map((key) => `k-${String(key)}`);
const anyStep = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('add' as const), key: anyKey }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('delete' as const), key: anyKey }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      limit: fc.nat(70),
      after: fc.option(anyKey, { nil: undefined }),
    }),
  },
);

afterEach(() => {
  vi.restoreAllMocks();
});

describe('sorted keys', () => {
  it('are those that were added and not deleted, in order, whenever they are read and whatever lies below', () => {
    fc.assert(
      fc.property(
        fc.option(fc.array(anyKey), { nil: undefined }),
        fc.array(anyStep, { maxLength: 200 }),
        (below, steps) => {
          const base = below && listOf(ascending(below));
          const keys = new SortedKeys(base);
          const model = new Set(below);
          for (const step of steps) {
            if (step.kind === 'add') keys.add(step.key);
            if (step.kind === 'add') model.add(step.key);
            if (step.kind === 'delete') keys.delete(step.key);
            if (step.kind === 'delete') model.delete(step.key);
            expect(keys.size).toBe(model.size);
            if (step.kind !== 'read') continue;
            const { after = '', limit } = step;
            const due = ascending(model).filter((key) => key > after);
            expect(keys.slice(limit, step.after)).toEqual(due.slice(0, limit));
          }
          expect(keys.all()).toEqual(ascending(model));
        },
      ),
      { seed: 20_261_124, numRuns: 300 },
    );
  });

  it.each([1, 33, 500])('that are in order are not sorted again for %i that come and go', (changes) => {
    const keys = new SortedKeys();
    const name = (key: number): string => `k-${String(key).padStart(6, '0')}`;
    for (let key = 0; key < 10_000; key++) keys.add(name(key * 2));
    keys.all();
    const sort = vi.spyOn(Array.prototype, 'sort');
    for (let key = 0; key < changes; key++) keys.add(name(key * 2 + 1));
    keys.slice(10);
    for (let key = 0; key < changes; key++) keys.delete(name(key * 4));
    keys.slice(10);
    const sorted = sort.mock.contexts.map((context) => (context as unknown[]).length);
    sort.mockRestore();
    expect(Math.max(0, ...sorted)).toBeLessThanOrEqual(changes);
    expect(keys.all()).toHaveLength(10_000);
  });
});

import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { counted, countedTopic, type Counted } from '../../testing/counter.ts';
import type { RecordedEvent } from '../ports.ts';
import { Breather } from '../snapshot/breather.ts';
import { MemoryView } from './view.ts';

const topic = countedTopic('view');

/** Rows that come, change and go: a sum of zero is none. */
const viewOf = (rows: number) => {
  const source = {
    progress: () => ({
      topic: topic.name,
      nextOffsets: [],
      accepted: 0,
      conflicts: 0,
      duplicates: 0,
      badRecords: 0,
      skippedTypes: 0,
      failedFolds: 0,
    }),
    waitFor: () => Promise.resolve(false),
  };
  const view = new MemoryView<number, Counted>(
    { name: 'sums', topic, fold: (sum = 0, { event }) => sum + event.data.by || undefined },
    source,
  );
  const add = (key: number, by: number): void => {
    view.apply({ streamId: `s-${String(key)}`, event: counted(by) } as RecordedEvent<Counted>);
  };
  for (let key = 0; key < rows; key++) add(key, 1);
  return { view, add };
};

/** A breather that is always out of breath, so that everything that can come in between does. */
class Breathless extends Breather {
  override get due(): boolean {
    return true;
  }
}

describe('a hash in slices', () => {
  it('is that of the moment when it began, whatever is folded meanwhile, also while a snapshot is written', async () => {
    const change = fc.record({
      key: fc.nat(400),
      by: fc.constantFrom(-1, 1, 2),
      keys: fc.constantFrom(1, 1, 1, 50),
    });
    const step = fc.oneof(
      { weight: 9, arbitrary: change },
      { weight: 1, arbitrary: fc.constant('freeze' as const) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
        const { view, add } = viewOf(300);
        const expected = view.stateHash();
        const hashing = view.hashInSlices(new Breathless());
        let frozen: ReturnType<typeof view.freeze> | undefined;
        let thawed = Promise.resolve();
        for (const [index, next] of steps.entries()) {
          if (next !== 'freeze') {
            for (let key = next.key; key < next.key + next.keys; key++) add(key, next.by);
          } else if (frozen === undefined) {
            await thawed;
            frozen = view.freeze();
          } else {
            thawed = frozen.thaw(new Breathless());
            frozen = undefined;
          }
          if (index % 7 === 0) await nextTurn();
        }
        expect(await hashing).toBe(expected);
        expect(await view.hashInSlices(new Breathless())).toBe(view.stateHash());
      }),
      { numRuns: 100, seed: 20_261_124 },
    );
  });

  it('lets others run while it is computed', async () => {
    const { view } = viewOf(20_000);
    const state = { isDone: false };
    const hashing = view.hashInSlices(new Breather()).finally(() => (state.isDone = true));
    let turns = 0;
    for (; !state.isDone; turns++) await nextTurn();
    expect(turns).toBeGreaterThan(4);
    expect(await hashing).toBe(view.stateHash());
  });

  it('of rows that were all dropped meanwhile is none', async () => {
    const { view } = viewOf(1000);
    const hashing = view.hashInSlices(new Breathless());
    await nextTurn();
    view.reset();
    expect(await hashing).toBeUndefined();
  });
});

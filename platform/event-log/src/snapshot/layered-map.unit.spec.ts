import type { Buffer } from 'node:buffer';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Breather } from './breather.ts';
import { SnapshotFile } from './file-reader.ts';
import { SnapshotFileWriter } from './file-writer.ts';
import { LayeredMap } from './layered-map.ts';
import { Shapes } from './shapes.ts';
import type { Table } from './table.ts';
import { decodeValue, encodeValue } from './value-codec.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-layers-'));
});
afterAll(() => rm(folder, { recursive: true }));

interface Counter {
  count: number;
}
let files = 0;

/** A breather that is always out of breath, and what happens while it draws some. */
class Interrupted extends Breather {
  readonly #meanwhile: () => void;

  constructor(meanwhile: () => void) {
    super();
    this.#meanwhile = meanwhile;
  }

  override get due(): boolean {
    return true;
  }

  override pause(): Promise<void> {
    this.#meanwhile();
    return Promise.resolve();
  }
}

/** Writes what the map holds to a file and answers its table. */
const written = async (
  map: LayeredMap<Counter>,
  shapes: Shapes,
  during: () => void,
  thawing: Breather,
): Promise<{ readonly table: Table<Counter>; readonly shapes: Shapes }> => {
  const path = join(folder, String(files++));
  const frozen = map.freeze();
  during();
  const writer = await SnapshotFileWriter.create(path, {
    breather: new Breather(),
    shapes: new Shapes(shapes.all),
    bytesMax: 1_000_000,
  });
  await writer.table('counters', frozen, encodeValue);
  await writer.finish({});
  await map.thaw(thawing);
  const file = await SnapshotFile.open(path, () => undefined);
  const decode = (bytes: Buffer, start: number): Counter => decodeValue(bytes, start, file.shapes) as Counter;
  return { table: file.table('counters', decode), shapes: file.shapes };
};

type Step = readonly [what: 'set' | 'delete' | 'change', keys: readonly string[], count: number];
const oneKey = fc.constantFrom('a', 'ab', 'b', '', 'ä', '日', '\ud800', '\uffff', '😀').map((key) => [key]);
/** So many that moving them takes slices. */
const manyKeys = fc
  .nat(100)
  .map((from) => Array.from({ length: 100 }, (_, index) => `k-${String(from + index)}`));
const anyStep: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom('set', 'delete', 'change'),
  fc.oneof({ weight: 4, arbitrary: oneKey }, { weight: 1, arbitrary: manyKeys }),
  fc.nat(9),
);
const changesOf = (steps: readonly Step[]) =>
  steps.flatMap(([what, keys, count]) => keys.map((key) => [what, key, count] as const));
const apply = (steps: readonly Step[], map: LayeredMap<Counter>, model: Map<string, number>): void => {
  for (const [what, key, count] of changesOf(steps)) {
    if (what === 'set') {
      map.set(key, { count });
      model.set(key, count);
    } else if (what === 'delete') {
      map.delete(key);
      model.delete(key);
    } else {
      const mine = map.own(key, (value) => ({ ...value }));
      if (mine !== undefined) mine.count += count;
      const known = model.get(key);
      if (known !== undefined) model.set(key, known + count);
    }
  }
};
const contentOf = (map: LayeredMap<Counter>): Map<string, number> =>
  new Map([...map.keys()].sort().map((key) => [key, map.get(key)?.count ?? Number.NaN]));
const sorted = (model: ReadonlyMap<string, number>): Map<string, number> =>
  new Map([...model].sort(([a], [b]) => (a < b ? -1 : 1)));

describe('a map over a snapshot', { timeout: 60_000 }, () => {
  it('is what a plain map would be, through any number of snapshots, and each snapshot is of its moment', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.array(anyStep), fc.array(anyStep), fc.array(anyStep), fc.boolean()), {
          maxLength: 4,
        }),
        async (rounds) => {
          const map = new LayeredMap<Counter>();
          const model = new Map<string, number>();
          let shapes = new Shapes();
          for (const [before, during, behind, restart] of rounds) {
            apply(before, map, model);
            const atFreeze = sorted(model);
            const changing = (steps: readonly Step[]) => (): void => {
              apply(steps, map, model);
              expect(contentOf(map)).toEqual(sorted(model));
            };
            const left = [...behind];
            const thawing = new Interrupted(() => {
              changing(left.splice(0, 1))();
            });
            const { table, ...file } = await written(map, shapes, changing(during), thawing);
            const entries = Array.from({ length: table.length }, (_, index) => [
              table.keyAt(index),
              table.valueAt(index).count,
            ]);
            expect(entries).toEqual([...atFreeze]);
            if (restart) {
              map.adopt(table);
              ({ shapes } = file);
              model.clear();
              for (const [key, count] of atFreeze) model.set(key, count);
            }
            expect(contentOf(map)).toEqual(sorted(model));
            expect(map.size).toBe(model.size);
          }
        },
      ),
      { seed: 20_261_124, numRuns: 30 },
    );
  });

  it('is put together in slices, and not at all once everything was dropped', async () => {
    const map = new LayeredMap<Counter>();
    map.freeze();
    for (let key = 0; key < 3200; key++) map.set(String(key), { count: key });
    let pauses = 0;
    const thawing = new Interrupted(() => {
      if (++pauses === 50) map.clear();
    });
    await map.thaw(thawing);
    expect(pauses).toBe(50);
    expect(map.size).toBe(0);
    map.freeze();
    await map.thaw(thawing);
    expect([...map.keys()]).toEqual([]);
  });
});

import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolders } from '../../testing/snapshot-nodes.ts';
import { Breather } from './breather.ts';
import { SnapshotFileWriter } from './file-writer.ts';
import { GONE } from './layered-map.ts';
import { Shapes } from './shapes.ts';
import { encodeValue } from './value-codec.ts';

const freshFolder = temporaryFolders();

/** A breather that is always out of breath. */
class Breathless extends Breather {
  pauses = 0;

  override get due(): boolean {
    return true;
  }

  override pause(): Promise<void> {
    this.pauses++;
    return super.pause();
  }
}

const ROWS = 3200;

it.each([
  ['rows', 1],
  ['rows that were deleted', GONE],
])('a long run of %s is cut into slices', async (_what, slot) => {
  const breather = new Breathless();
  const path = join(await freshFolder(), 'one');
  const writer = await SnapshotFileWriter.create(path, {
    breather,
    shapes: new Shapes(),
    bytesMax: 1_000_000,
  });
  const changes = new Map(Array.from({ length: ROWS }, (_, row) => [`row ${String(row)}`, slot]));
  await writer.table('rows', { base: undefined, changes }, encodeValue);
  await writer.finish({});
  expect(breather.pauses).toBeGreaterThanOrEqual(ROWS / 32);
});

import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { temporaryFolders } from '../../testing/snapshot-nodes.ts';
import type { SnapshotFileWriter } from './file-writer.ts';
import { SnapshotKeeper, type SnapshottedFold } from './keeper.ts';
import { defaultSnapshotLimits } from './settings.ts';

/** What the disk waits for, and what happens between a file's getting its name and the name's getting durable. */
const hooks = vi.hoisted(() => ({
  beforeSync: () => Promise.resolve(),
  onRenamed: (): void => undefined,
}));
vi.mock(import('node:fs/promises'), async (original) => {
  const fs = await original();
  return {
    ...fs,
    open: async (...options: Parameters<typeof fs.open>) => {
      const handle = await fs.open(...options);
      const sync = handle.sync.bind(handle);
      handle.sync = () => hooks.beforeSync().then(sync);
      return handle;
    },
    rename: async (...paths: Parameters<typeof fs.rename>) => {
      await fs.rename(...paths);
      hooks.onRenamed();
    },
  };
});

const freshFolder = temporaryFolders();
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
  hooks.beforeSync = () => Promise.resolve();
  hooks.onRenamed = () => undefined;
});

/** The clock that a breather does not look at. */
const realMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** Of pino, from here on. */
const ERROR_LEVEL = 50;

/** A keeper of a fold that is written as the test wants it to be. */
const keeperOf = async (writeFold: (writer: SnapshotFileWriter) => Promise<void>) => {
  const directory = await freshFolder();
  const lines: string[] = [];
  const errors: object[] = [];
  const write = (line: string): void => {
    const said = JSON.parse(line) as { readonly level: number; readonly msg: string };
    lines.push(said.msg);
    if (said.level >= ERROR_LEVEL) errors.push(said);
  };
  const state = { accepted: 1, frozen: 0, thawed: 0 };
  const fold: SnapshottedFold = {
    topic: { name: 'kept', partitions: 1, schemas: {} },
    parts: [],
    unkept: undefined,
    module: import.meta.url,
    freeze: () => {
      state.frozen++;
      return {
        meta: { topic: 'kept', partitions: [], counts: { accepted: state.accepted } },
        write: writeFold,
        thaw: () => {
          state.thawed++;
          return Promise.resolve();
        },
      };
    },
    adopt: () => undefined,
    progress: () => state,
  };
  const keeper = new SnapshotKeeper(fold, {
    directory,
    limits: defaultSnapshotLimits,
    logger: pino({}, { write }),
    now: () => performance.now(),
  });
  await keeper.load();
  return { keeper, state, lines, errors, directory, files: () => readdir(directory) };
};

/** Many slices, behind each of which a writer that is in no hurry rests as long as it may. */
const MANY = 100;
const inSlices = (slices = MANY, sliceMs = 17) => {
  const progress = { slices: 0, began: Promise.withResolvers<undefined>() };
  const write = async ({ breather }: SnapshotFileWriter): Promise<void> => {
    for (let slice = 0; slice < slices; slice++) {
      progress.slices++;
      vi.advanceTimersByTime(sliceMs);
      const pausing = breather.pause();
      progress.began.resolve(undefined);
      await pausing;
    }
  };
  return { write, progress };
};

const SNAPSHOTS = ['kept.0000000001.snapshot', 'kept.0000000002.snapshot'];

describe('a snapshot that is being written', () => {
  it('leaves more than nine tenths of the time to others when nobody waits for it', async () => {
    const { keeper, files } = await keeperOf(inSlices(8, 3).write);
    const startedAtMs = realMs();
    await keeper.write();
    expect(realMs() - startedAtMs).toBeGreaterThanOrEqual(8 * (12 * 3 - 1)); // a timer may be early by one
    expect(await files()).toEqual(SNAPSHOTS.slice(0, 1));
  });

  it('hurries once the service stops, and so does the last one', async () => {
    const { write, progress } = inSlices();
    const { keeper, state, files } = await keeperOf(write);
    const writing = keeper.write();
    await progress.began.promise;
    state.accepted++;
    await keeper.stop(MANY * 25); // half of what either of them would rest
    expect(await files()).toEqual(SNAPSHOTS);
    await writing;
  });

  it.each([
    ['was dropped', 'onReset'],
    ['was found to be wrong', 'discard'],
  ] as const)('of a state that %s is given up at once, and the next one may begin', async (_why, drop) => {
    const { write, progress } = inSlices();
    const { keeper, state, lines, files } = await keeperOf(write);
    const writing = keeper.write();
    await progress.began.promise;
    await keeper[drop]();
    await writing;
    expect(progress.slices).toBe(1);
    expect(state.thawed).toBe(1);
    expect(lines).toEqual(['snapshot not written']);
    expect(await files()).toEqual([]);
    await keeper.stop(10_000);
    expect(await files()).toEqual(SNAPSHOTS.slice(0, 1));
  });

  it.each(['onReset', 'discard'] as const)(
    'of a state that is dropped in the moment when the file gets its name is none (%s)',
    async (drop) => {
      const { keeper, files } = await keeperOf(() => Promise.resolve());
      hooks.onRenamed = () => {
        void keeper[drop]();
      };
      await keeper.write();
      expect(await files()).toEqual([]);
      hooks.onRenamed = () => undefined;
      await keeper.stop(10_000); // as many events were folded again, and no snapshot is of them
      expect(await files()).toEqual(SNAPSHOTS.slice(0, 1));
    },
  );

  it.each([
    ['the last one', 'the fold'],
    ['the last one', 'the disk'],
    ['one that was due', 'the fold'],
    ['one that was due', 'the disk'],
  ])('does not hold up a stop beyond its deadline, and is given up then (%s, by %s)', async (which, what) => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const { keeper, state, lines, files } = await keeperOf(() =>
      what === 'the fold' ? promise : Promise.resolve(),
    );
    if (what === 'the disk') hooks.beforeSync = () => promise;
    const writing = which === 'the last one' ? undefined : keeper.write();
    await keeper.stop(20);
    resolve(undefined);
    await expect.poll(() => lines).toEqual(['snapshot not written']);
    await writing;
    expect(await files()).toEqual([]);
    expect(state.thawed).toBe(1);
  });
});

describe('a snapshot is due', () => {
  const { minEvents, minPauseMs, fewPauseMs, manyEvents, maxShare } = defaultSnapshotLimits;
  const CHECK_MS = 1000;
  const started = async (write: (writer: SnapshotFileWriter) => Promise<void>) => {
    vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] });
    const kept = await keeperOf(write);
    kept.state.accepted = 0;
    kept.keeper.start();
    /** Snapshots begun so far, after so many more events and so much time. */
    const begunAfter = (accepted: number, ms = CHECK_MS): number => {
      kept.state.accepted += accepted;
      vi.advanceTimersByTime(ms);
      return kept.state.frozen;
    };
    /** Whoever polls moves the clock a little. */
    const written = (count: number) => expect.poll(() => kept.keeper.status().written).toBe(count);
    return { ...kept, begunAfter, written };
  };

  it('behind some events five minutes after the last one, behind many after one', async () => {
    const { keeper, begunAfter, written } = await started(() => Promise.resolve());
    expect(begunAfter(minEvents - 1)).toBe(0);
    expect(begunAfter(1)).toBe(1);
    await written(1);
    expect(begunAfter(manyEvents - 1, fewPauseMs - 2 * CHECK_MS)).toBe(1);
    expect(begunAfter(1)).toBe(2);
    await written(2);
    expect(begunAfter(manyEvents, minPauseMs - CHECK_MS)).toBe(2);
    expect(begunAfter(0, 2 * CHECK_MS)).toBe(3);
    await written(3);
    expect(begunAfter(minEvents, fewPauseMs - CHECK_MS)).toBe(3);
    expect(begunAfter(0, 2 * CHECK_MS)).toBe(4);
    await written(4);
    await keeper.stop(10_000);
  });

  it('behind many events not before twenty times the work that the last one was', async () => {
    const workMs = 2 * maxShare * minPauseMs;
    const { keeper, begunAfter, written } = await started(inSlices(1, workMs).write);
    expect(begunAfter(minEvents)).toBe(1);
    await written(1);
    expect(begunAfter(manyEvents, workMs / maxShare - CHECK_MS)).toBe(1);
    expect(begunAfter(0, 2 * CHECK_MS)).toBe(2);
    await written(2);
    await keeper.stop(10_000);
  });

  it('again a minute after one that failed, however many events there are', async () => {
    const { keeper, begunAfter } = await started(() => Promise.reject(new Error('the disk is full')));
    const failed = (count: number) => expect.poll(() => keeper.status().failed).toBe(count);
    /** The failed one may still be at its end. */
    const soon = async (count: number): Promise<void> => {
      let seconds = 0;
      const begun = (): number => {
        seconds++;
        return begunAfter(0);
      };
      await expect.poll(begun).toBe(count);
      expect(seconds).toBeLessThan(minPauseMs / 2 / CHECK_MS);
    };
    expect(begunAfter(minEvents)).toBe(1);
    await failed(1);
    expect(begunAfter(0, minPauseMs - CHECK_MS)).toBe(1);
    await soon(2);
    await failed(2);
    expect(begunAfter(manyEvents, minPauseMs - CHECK_MS)).toBe(2);
    await soon(3);
    await failed(3);
    await keeper.stop(10_000);
  });
});

it('a wrong snapshot that cannot be removed is told as an error, with where it lies; the others are removed', async () => {
  const { keeper, errors, directory, files } = await keeperOf(() => Promise.resolve());
  await keeper.write();
  const path = join(directory, 'kept.0000000000.snapshot');
  await mkdir(path); // is no file, which is all that is removed
  await keeper.discard();
  expect(errors).toMatchObject([{ msg: 'a wrong snapshot stays', topic: 'kept', path }]);
  expect(await files()).toEqual(['kept.0000000000.snapshot']);
});

it('the newest snapshot is told with its size and age, and how many were written or failed', async () => {
  const failing = { isOn: false };
  const { keeper, directory } = await keeperOf(() =>
    failing.isOn ? Promise.reject(new Error('the disk is full')) : Promise.resolve(),
  );
  const none = { topic: 'kept', newest: undefined, written: 0, failed: 0, ignored: 0 };
  expect(keeper.status()).toEqual(none);
  await keeper.write();
  vi.advanceTimersByTime(1500);
  const { size: bytes } = await stat(join(directory, 'kept.0000000001.snapshot'));
  const newest = { bytes, ageMs: 1500 };
  expect(keeper.status()).toEqual({ ...none, newest, written: 1 });
  failing.isOn = true;
  await keeper.write();
  expect(keeper.status()).toEqual({ ...none, newest, written: 1, failed: 1 });
  await keeper.discard();
  expect(keeper.status()).toEqual({ ...none, written: 1, failed: 1 });
});

it('a snapshot that was given up, as its state was dropped, is no failure', async () => {
  const { write, progress } = inSlices();
  const { keeper } = await keeperOf(write);
  const writing = keeper.write();
  await progress.began.promise;
  keeper.onReset();
  await writing;
  expect(keeper.status()).toMatchObject({ written: 0, failed: 0 });
});

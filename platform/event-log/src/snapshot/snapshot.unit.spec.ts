import { Buffer } from 'node:buffer';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { pino, type Logger } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { countedTopic, type Counted } from '../../testing/counter.ts';
import {
  addTo,
  answersOf,
  counterIn,
  startNode,
  streamOf,
  sumsIn,
  temporaryFolders,
  type Definitions,
  type Row,
  type SnapshotNode,
} from '../../testing/snapshot-nodes.ts';
import { AvroCodec } from '../avro/codec.ts';
import { AggregateFold } from '../log/aggregate-fold.ts';
import { partitionOf } from '../log/partition-of.ts';
import { TopicFold } from '../log/topic-fold.ts';
import { MemoryView } from '../log/view.ts';
import { createMemoryBroker, openMemoryLog, type MemoryLogOptions } from '../memory/open.ts';
import type { EventLog, RecordedEvent } from '../ports.ts';
import { SnapshotUnusable } from './errors.ts';
import { SnapshotKeeper } from './keeper.ts';
import { defaultSnapshotLimits } from './settings.ts';

const seed = 20_261_124;
const topic = countedTopic('snapshots');
const counter = counterIn(topic);
const sums = sumsIn(topic);
const freshFolder = temporaryFolders();
const logs: EventLog[] = [];
afterEach(async () => {
  for (const log of logs.splice(0)) await log.close();
});

const start = (options: MemoryLogOptions, definitions: Definitions = {}): Promise<SnapshotNode> => {
  const log = openMemoryLog(options);
  logs.push(log);
  return startNode(log, topic, definitions);
};

/** A logger, and what it was told. */
const listening = (): {
  readonly logger: Logger;
  readonly lines: Record<string, unknown>[];
} => {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => {
    lines.push(JSON.parse(line) as Record<string, unknown>);
  };
  return { logger: pino({ level: 'info' }, { write }), lines };
};

describe('a snapshot', { timeout: 60_000 }, () => {
  /** A log with some streams and two snapshots of it; the second is of the end. */
  const twoSnapshots = async () => {
    const folder = await freshFolder();
    const broker = createMemoryBroker();
    for (const life of [0, 1]) {
      const node = await start({ broker, snapshotDir: folder });
      for (let n = 0; n < 20; n++) await addTo(node, n % 6, n, `${life}-${n}`);
      await node.log.close();
    }
    return { folder, broker, files: (await readdir(folder)).sort() };
  };

  it('is neither used nor written where something is folded that it cannot hold: that would be empty behind it', async () => {
    const { folder, broker, files } = await twoSnapshots();
    const { logger, lines } = listening();
    const fold = new TopicFold(topic, new AvroCodec(topic, broker.schemas), {
      maxRejected: 1,
      report: { badRecord: () => undefined, failedFold: () => undefined },
    });
    const source = { progress: () => fold.progress(), waitFor: () => Promise.resolve(false) };
    fold.addTarget(new AggregateFold(counter));
    fold.addTarget(new MemoryView(sums, source));
    const keeperOf = () =>
      new SnapshotKeeper(fold, { directory: folder, limits: defaultSnapshotLimits, logger, now: Date.now });
    const usable = await keeperOf().load();
    if (usable === undefined) throw new Error('the snapshots are of this code');
    fold.addTarget({ name: 'a listener', apply: () => undefined, reset: () => undefined });
    const keeper = keeperOf();
    expect(await keeper.load()).toBeUndefined();
    expect(lines.at(-1)).toMatchObject({ msg: 'no snapshots', topic: topic.name });
    expect(lines.at(-1)?.why).toContain('a listener');
    await keeper.write();
    expect((await readdir(folder)).sort()).toEqual(files);
    expect(() => {
      fold.adopt(usable);
    }).toThrow(SnapshotUnusable);
    expect(() => fold.freeze()).toThrow('a listener');
  });

  it('is started from, whatever lies in the folder that cannot be removed', async () => {
    const { folder, broker } = await twoSnapshots();
    await mkdir(join(folder, `${topic.name}.1.writing`)); // `rm` refuses a folder
    const { logger, lines } = listening();
    const node = await start({ broker, snapshotDir: folder, logger });
    expect(node.log.health().ready).toBe(true);
    expect(lines).toContainEqual(expect.objectContaining({ msg: 'started from a snapshot' }));
  });

  it('of a read model that a rebuild finds wrong is not started from again', async () => {
    const folder = await freshFolder();
    const broker = createMemoryBroker();
    let mistake = 1; // not in the module, so the snapshot does not know of it
    const mistaken = {
      ...sums,
      fold: (row: Row | undefined, event: RecordedEvent<Counted>) => {
        const after = sums.fold(row, event);
        return after && { ...after, sum: after.sum + mistake };
      },
    };
    const wrong = await start({ broker, snapshotDir: folder }, { sums: mistaken });
    for (let n = 0; n < 20; n++) await addTo(wrong, n % 6, n, `wrong-${n}`);
    await wrong.log.close();
    mistake = 0;
    const node = await start({ broker, snapshotDir: folder }, { sums: mistaken });
    const replayed = await start({ broker });
    expect(answersOf(node)).not.toEqual(answersOf(replayed));
    expect(await node.log.rebuild('sums')).toMatchObject({ kind: 'rebuilt', report: { differed: true } });
    expect(await readdir(folder)).toEqual([]);
    expect(answersOf(node)).toEqual(answersOf(replayed));
    expect(await node.log.rebuild('sums')).toMatchObject({ kind: 'rebuilt', report: { differed: false } });
    await node.log.close();
    expect(await readdir(folder)).toHaveLength(1);
    expect(answersOf(await start({ broker, snapshotDir: folder }))).toEqual(answersOf(replayed));
  });

  it('folds nothing again that the snapshot holds', async () => {
    const { folder, broker } = await twoSnapshots();
    const folded: RecordedEvent<Counted>[] = [];
    const counting = {
      ...sums,
      fold: (row: Row | undefined, event: RecordedEvent<Counted>) => {
        folded.push(event);
        return sums.fold(row, event);
      },
    };
    const node = await start({ broker, snapshotDir: folder }, { sums: counting });
    expect(folded).toEqual([]);
    await addTo(node, 0, 1, 'one more');
    expect(folded).toHaveLength(1);
  });

  /** Starts in a copy of the folder and expects the state of a replay; answers which snapshots were ignored and why. */
  const ignoredIn = async (
    folder: string,
    broker: ReturnType<typeof createMemoryBroker>,
    definitions: Definitions = {},
  ) => {
    const { logger, lines } = listening();
    const snapshotDir = await freshFolder();
    await cp(folder, snapshotDir, { recursive: true });
    const node = await start({ broker, snapshotDir, logger }, definitions);
    const replayed = await start({ broker }, definitions);
    expect(answersOf(node)).toStrictEqual(answersOf(replayed));
    for (const { log } of [node, replayed]) await log.close();
    return {
      ignored: lines.filter(({ msg }) => msg === 'snapshot ignored').map(({ fault }) => fault),
      used: lines.filter(({ msg }) => msg === 'started from a snapshot').map(({ events }) => events),
    };
  };

  it('ignores a damaged one and takes the one before, whichever byte of it changed', async () => {
    const { folder, broker, files } = await twoSnapshots();
    const path = join(folder, files[1] ?? '');
    const good = await readFile(path);
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const bad = Buffer.from(good);
        bad[at] = (bad[at] ?? 0) ^ change;
        await writeFile(path, bad);
        const { ignored, used } = await ignoredIn(folder, broker);
        // The first bytes and the padding between sections mean nothing, so nobody looks at them.
        expect([
          [['damaged'], [20]],
          [[], [40]],
        ]).toContainEqual([ignored, used]);
        for (const log of logs.splice(0)) await log.close();
      }),
      { seed, numRuns: 60 },
    );
  });

  it('ignores one that was cut short, wherever', async () => {
    const { folder, broker, files } = await twoSnapshots();
    const path = join(folder, files[1] ?? '');
    const good = await readFile(path);
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), async (length) => {
        await writeFile(path, good.subarray(0, length));
        expect(await ignoredIn(folder, broker)).toEqual({ ignored: ['damaged'], used: [20] });
      }),
      { seed, numRuns: 30 },
    );
  });

  it('ignores both when a fold was changed, or anything that it imports', async () => {
    const { folder, broker } = await twoSnapshots();
    const module = join(folder, 'fold.ts');
    const helper = join(folder, 'helper.ts');
    await writeFile(module, "import { step } from './helper.ts';\nexport const fold = step;\n");
    await writeFile(helper, 'export const step = 1;\n');
    const definitions = { sums: { ...sums, module: pathToFileURL(module).href } };
    expect(await ignoredIn(folder, broker, definitions)).toEqual({ ignored: ['stale', 'stale'], used: [] });
    await (await start({ broker, snapshotDir: folder }, definitions)).log.close();
    expect(await ignoredIn(folder, broker, definitions)).toEqual({ ignored: [], used: [40] });
    await writeFile(helper, 'export const step = 2;\n');
    expect(await ignoredIn(folder, broker, definitions)).toMatchObject({ used: [] });
  });

  it('ignores both when an upcaster came or was changed, which decides what old events are', async () => {
    const { folder, broker } = await twoSnapshots();
    const upcastWith = (upcast: (data: object) => object): Definitions => {
      const upcasting = { ...topic, upcasters: { Counted: { fills: ['note'], upcast } } };
      return { counter: counterIn(upcasting), sums: sumsIn(upcasting) };
    };
    const same = upcastWith((data) => ({ ...data, note: 'none' }));
    expect(await ignoredIn(folder, broker, same)).toEqual({ ignored: ['stale', 'stale'], used: [] });
    await (await start({ broker, snapshotDir: folder }, same)).log.close();
    expect(await ignoredIn(folder, broker, same)).toEqual({ ignored: [], used: [40] });
    const changed = upcastWith((data) => ({ ...data, note: 'unknown' }));
    expect(await ignoredIn(folder, broker, changed)).toMatchObject({ used: [] });
  });

  it('ignores both when the log ends before them', async () => {
    const { folder, broker } = await twoSnapshots();
    broker.truncate(topic.name, partitionOf(streamOf(0), topic.partitions), 1);
    expect(await ignoredIn(folder, broker)).toEqual({ ignored: ['stale', 'stale'], used: [] });
  });

  it('is written while events are folded, every so often, and the last two are kept', async () => {
    const folder = await freshFolder();
    const broker = createMemoryBroker();
    const node = await start({
      broker,
      snapshotDir: folder,
      snapshotLimits: { minEvents: 3, minPauseMs: 0, fewPauseMs: 0, maxShare: 1 },
    });
    for (const sequence of [1, 2, 3]) {
      for (let n = 0; n < 5; n++) await addTo(node, n, 1, `${sequence}-${n}`);
      const name = `snapshots.000000000${sequence}.snapshot`;
      await expect.poll(() => readdir(folder), { timeout: 20_000 }).toContain(name);
    }
    await expect
      .poll(() => readdir(folder))
      .toEqual(['snapshots.0000000002.snapshot', 'snapshots.0000000003.snapshot']);
  });

  it('is not written when the log holds nothing new', async () => {
    const { folder, broker, files } = await twoSnapshots();
    await (await start({ broker, snapshotDir: folder })).log.close();
    expect((await readdir(folder)).sort()).toEqual(files);
  });

  it('survives a crash while the next one is written, whose beginning is left behind', async () => {
    const { folder, broker, files } = await twoSnapshots();
    const newest = await readFile(join(folder, files[1] ?? ''));
    await writeFile(join(folder, 'snapshots.1.writing'), newest.subarray(0, 1000));
    expect(await ignoredIn(folder, broker)).toEqual({ ignored: [], used: [40] });
    await start({ broker, snapshotDir: folder });
    expect((await readdir(folder)).sort()).toEqual(files);
  });

  it('never holds what would come back as something else: that is said once, and the service goes on', async () => {
    class Total {
      readonly sum = 1;
    }
    const { logger, lines } = listening();
    const folder = await freshFolder();
    const broker = createMemoryBroker();
    const node = await start(
      { broker, snapshotDir: folder, logger },
      { counter: { ...counter, evolve: () => new Total() } },
    );
    await addTo(node, 0, 1, 'first');
    await node.log.close();
    expect(lines.filter(({ level }) => level === 50)).toMatchObject([
      { why: 'aggregate counter of s-0: an instance of Total' },
    ]);
    expect(await readdir(folder)).toEqual([]);
  });

  it('is not made of a projection that does not name its module', async () => {
    const { name, fold, indexes } = sums;
    const nameless = { name, topic, fold, ...(indexes === undefined ? {} : { indexes }) };
    const { logger, lines } = listening();
    const folder = await freshFolder();
    const node = await start({ snapshotDir: folder, logger }, { sums: nameless });
    await addTo(node, 0, 1, 'first');
    await node.log.close();
    expect(lines).toMatchObject([{ msg: 'no snapshots', topic: 'snapshots' }]);
    expect(await readdir(folder)).toEqual([]);
  });
});

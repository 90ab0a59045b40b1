import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { pino } from 'pino';
import { beforeAll, describe, expect, it } from 'vitest';
import { counted, countedTopic, counterOf, sumsOf, type Counted } from '../../testing/index.ts';
import { AvroCodec } from '../avro/codec.ts';
import { createMemoryBroker, openMemoryLog } from '../memory/open.ts';
import { Rebuild } from './rebuild.ts';
import { TopicFold } from './topic-fold.ts';
import type { RawRecord, TopicListener } from './transport.ts';
import { MemoryView } from './view.ts';

const topic = countedTopic('rebuild');
const broker = createMemoryBroker();
const codec = new AvroCodec(topic, broker.schemas);
const partitions = Array.from({ length: topic.partitions }, (_, partition) => partition);
let recorded: readonly (readonly RawRecord[])[] = [];

/** Commits of one to three events, losers, and records that are none. */
beforeAll(async () => {
  const log = openMemoryLog({ broker });
  const counters = log.aggregate(counterOf(topic));
  await log.start();
  for (let commit = 0; commit < 40; commit++) {
    const streamId = `s-${String(commit % 8)}`;
    const events = Array.from({ length: 1 + (commit % 3) }, () => counted(commit));
    await counters.execute({
      streamId,
      commandId: randomUUID(),
      decide: () => ({ kind: 'events', events }),
      metadata: { correlationId: 'test' },
    });
    const loser = { streamId, baseVersion: 0, previousCommitId: undefined, events };
    if (commit % 5 === 4)
      await counters.append({ ...loser, commitId: randomUUID(), metadata: { correlationId: 'test' } });
    if (commit % 7 === 6) broker.appendRaw(topic.name, commit % 4, { key: null, value: null, headers: {} });
  }
  await log.close();
  recorded = partitions.map((partition) => broker.records(topic.name, partition));
});

const foldWithView = () => {
  const fold = new TopicFold(topic, codec, {
    maxRejected: 1000,
    report: { badRecord: () => undefined, failedFold: () => undefined },
  });
  const view = new MemoryView(sumsOf(topic), fold);
  fold.addTarget(view);
  return { fold, view };
};

const deliver = async (listener: TopicListener, partition: number, count: number): Promise<void> => {
  const { next } = listener.progress(partition);
  await listener.onRecords(partition, (recorded[partition] ?? []).slice(next, next + count));
};

const set = (deadlineMs = 10_000) => {
  const { fold, view } = foldWithView();
  let stopped = 0;
  const rebuild = new Rebuild<{ sum: number; events: number }, Counted>({
    definition: sumsOf(topic),
    live: fold,
    view,
    transport: {
      read: () =>
        Promise.resolve(() => {
          stopped++;
          return Promise.resolve();
        }),
    },
    onDiffered: () => Promise.resolve(),
    logger: pino({ level: 'silent' }),
    deadlineMs,
    now: Date.now,
  });
  return { fold, view, rebuild, stopped: () => stopped };
};

const step = fc.record({
  who: fc.constantFrom('live', 'rebuild'),
  partition: fc.constantFrom(...partitions),
  /** Any number: batches end anywhere, also inside a commit. */
  count: fc.integer({ min: 1, max: 12 }),
});

describe('a rebuild', () => {
  it('ends with the rows of a replay, however the two readers are interleaved and wherever batches end', async () => {
    const replayed = foldWithView();
    for (const partition of partitions) await deliver(replayed.fold, partition, 1000);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.nat(60), async (steps, startsAt) => {
        const { fold, view, rebuild, stopped } = set();
        const go = async ({ who, partition, count }: (typeof steps)[number]): Promise<void> => {
          if (who === 'live') await deliver(fold, partition, count);
          else if (!rebuild.isDone(partition)) await deliver(rebuild, partition, count);
          // Ahead of the live reader it would have nothing to wait for.
          expect(rebuild.progress(partition).next).toBeLessThanOrEqual(fold.progress(partition).next);
        };
        for (const next of steps.slice(0, startsAt)) if (next.who === 'live') await go(next);
        const outcome = rebuild.run();
        for (const next of steps.slice(startsAt)) await go(next);
        for (const partition of partitions) await go({ who: 'live', partition, count: 1000 });
        for (const partition of partitions) await go({ who: 'rebuild', partition, count: 1000 });
        expect(await outcome).toMatchObject({ kind: 'rebuilt', report: { differed: false } });
        expect(view.stateHash()).toBe(replayed.view.stateHash());
        expect(view.size).toBe(replayed.view.size);
        expect(stopped()).toBe(1);
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ['live', 'fold'],
    ['its own', 'rebuild'],
  ] as const)(
    'is given up when the log is cut under the %s reader, and leaves the live rows to the live reader',
    async (_whose, reader) => {
      const parts = set();
      for (const partition of partitions) await deliver(parts.fold, partition, 10);
      const outcome = parts.rebuild.run();
      await deliver(parts.rebuild, 0, 1000);
      parts[reader].onDiverged();
      expect(await outcome).toEqual({ kind: 'aborted', reason: 'log-was-cut' });
      for (const partition of partitions) await deliver(parts.fold, partition, 1000);
      const replayed = foldWithView();
      for (const partition of partitions) await deliver(replayed.fold, partition, 1000);
      expect(parts.view.stateHash()).toBe(replayed.view.stateHash());
    },
  );

  it('does not go round in circles at a hole that the live reader had passed before there was one', async () => {
    const { fold, rebuild } = set(20);
    for (const partition of partitions) await deliver(fold, partition, 1000);
    const outcome = rebuild.run();
    const withHole = (recorded[0] ?? []).filter(({ offset }) => offset !== '2');
    await rebuild.onRecords(0, withHole);
    expect(rebuild.progress(0).next).toBe(2);
    expect(rebuild.isDone(0)).toBe(false);
    expect(await outcome).toEqual({ kind: 'aborted', reason: 'deadline' });
  });

  it('that does not get on is given up at its deadline', async () => {
    const { fold, rebuild, stopped } = set(20);
    for (const partition of partitions) await deliver(fold, partition, 10);
    expect(await rebuild.run()).toEqual({ kind: 'aborted', reason: 'deadline' });
    expect(rebuild.isDone(0)).toBe(true);
    expect(stopped()).toBe(1);
  });
});

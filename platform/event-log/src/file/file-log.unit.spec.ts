import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { done } from '@parley/delivery';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { counted, countedTopic, counterOf, type Counted } from '../../testing/index.ts';
import { createMemoryBroker, openMemoryLog } from '../memory/open.ts';
import type { EventLog, EventTopic, RecordedEvent, View } from '../ports.ts';
import { LogFileError } from './errors.ts';
import { openFileLog } from './open.ts';
import { LogFileWriter } from './writer.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-file-log-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Sum {
  readonly sum: number;
  readonly eventIds: readonly string[];
}
const project = (log: EventLog, topic: EventTopic<Counted>): View<Sum> =>
  log.project({
    name: 'sums',
    topic,
    fold: (row: Sum | undefined, { event, eventId }: RecordedEvent<Counted>) => ({
      sum: (row?.sum ?? 0) + event.data.by,
      eventIds: [...(row?.eventIds ?? []), eventId],
    }),
  });

/** A log with accepted commits, conflicts, duplicates and bad records, its view, and the file of it. */
async function recorded(topic: EventTopic<Counted>, path: string): Promise<View<Sum>> {
  const broker = createMemoryBroker();
  const log = openMemoryLog({ broker });
  const counters = log.aggregate(counterOf(topic));
  const view = project(log, topic);
  await log.start();
  for (let index = 0; index < 40; index++) {
    await counters.execute({
      streamId: `s-${String(index % 7)}`,
      commandId: randomUUID(),
      decide: () => ({ kind: 'events', events: [counted(index), counted(1)] }),
      metadata: { correlationId: 'test' },
    });
  }
  const commit = {
    streamId: 's-0',
    baseVersion: 0,
    previousCommitId: undefined,
    events: [counted(1000)],
    metadata: { correlationId: 'test' },
  };
  expect(await counters.append({ ...commit, commitId: randomUUID() })).toMatchObject({ kind: 'conflict' });
  const bad = [
    { key: null, value: null, headers: {} },
    {
      key: Buffer.from('s-0'),
      value: Buffer.from([0, 0, 0, 9, 9, 1]),
      headers: { 'parley-commit': Buffer.alloc(40) },
    },
  ];
  for (const one of bad) broker.appendRaw(topic.name, 1, one);
  for (const raw of broker.records(topic.name, 2).slice(0, 2)) broker.appendRaw(topic.name, 2, raw);
  for (const [partition, end] of broker.endOffsets(topic.name).entries())
    if (end > 0) await log.waitFor({ topic: topic.name, partition, offset: end - 1 }, { deadlineMs: 2000 });
  const writer = await LogFileWriter.create(path, {
    createdAt: '2026-01-01T00:00:00.000Z',
    note: '',
    topics: { [topic.name]: { partitions: topic.partitions } },
    schemas: { 1: topic.schemas.Counted },
  });
  for (let partition = 0; partition < topic.partitions; partition++)
    await writer.write(topic.name, partition, broker.records(topic.name, partition));
  await writer.finish();
  await log.close();
  return view;
}

it('replays to the verdicts, positions and state hash of the log that it was taken from', async () => {
  const topic = countedTopic('file.replay');
  const path = join(folder, 'replay.log');
  const live = await recorded(topic, path);
  const log = openFileLog(path);
  const view = project(log, topic);
  await log.start();
  expect(view.progress()).toEqual(live.progress());
  expect(view.progress()).toMatchObject({ conflicts: 1, duplicates: 2, badRecords: 2 });
  expect(view.size).toBe(7);
  expect(view.stateHash()).toBe(live.stateHash());
  await log.close();
});

it('folds nothing of a damaged file', async () => {
  const topic = countedTopic('file.damaged');
  const path = join(folder, 'damaged.log');
  await recorded(topic, path);
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replace(/"sha256":"./, '"sha256":"x'));
  const log = openFileLog(path);
  const view = project(log, topic);
  await expect(log.start()).rejects.toBeInstanceOf(LogFileError);
  expect(view.size).toBe(0);
  await log.close();
});

it('takes no append and no reaction', async () => {
  const topic = countedTopic('file.read-only');
  const path = join(folder, 'read-only.log');
  await recorded(topic, path);
  const log = openFileLog(path);
  const counters = log.aggregate(counterOf(topic));
  await log.start();
  const outcome = await counters.execute({
    streamId: 's-0',
    commandId: randomUUID(),
    decide: () => ({ kind: 'events', events: [counted(1)] }),
    metadata: { correlationId: 'test' },
  });
  expect(outcome).toMatchObject({ kind: 'rejected', detail: 'a log file is read-only' });
  await log.close();
  const reacting = openFileLog(path);
  reacting.react({ group: 'g', topic, handle: () => Promise.resolve(done) });
  await expect(reacting.start()).rejects.toThrow('read-only');
  await reacting.close();
});

it('refuses a topic with another number of partitions, and has nothing of a topic that is not in the file', async () => {
  const topic = countedTopic('file.partitions');
  const path = join(folder, 'partitions.log');
  await recorded(topic, path);
  const other = openFileLog(path);
  project(other, { ...topic, partitions: 3 });
  await expect(other.start()).rejects.toBeInstanceOf(RangeError);
  await other.close();
  const absent = openFileLog(path);
  const view = project(absent, countedTopic('file.absent'));
  await absent.start();
  expect(view.size).toBe(0);
  await absent.close();
});

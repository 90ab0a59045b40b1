/** What a caller is told of an attempt when others of the same command, refusals or silence come between. */
import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { counted, countedSchema, countedTopic, type Counted } from '../../testing/counter.ts';
import { metadata, run } from '../../testing/harness.ts';
import { memoryCounters } from '../../testing/memory-counters.ts';
import { encodeCommitHeader, toKey } from '../arbitration/commit-header.ts';
import { logHeaders } from '../headers.ts';
import { partitionOf } from '../log/partition-of.ts';
import type { LogLimits } from '../log/limits.ts';
import type { Aggregates } from '../ports.ts';
import { MemoryLink } from './link.ts';
import { createMemoryBroker, openMemoryLog } from './open.ts';

const topic = countedTopic('attempts');
const partition = partitionOf('s', topic.partitions);
const setUp = (limits: Partial<LogLimits> = {}) => memoryCounters(topic, limits);
const execute = (
  counters: Aggregates<number, Counted>,
  by: number,
  options: { readonly commandId?: string; readonly deadlineMs?: number; readonly onDecide?: () => void } = {},
) =>
  counters.execute({
    streamId: 's',
    commandId: options.commandId ?? randomUUID(),
    decide: () => {
      options.onDecide?.();
      return { kind: 'events', events: [counted(by)] };
    },
    metadata,
    deadlineMs: options.deadlineMs ?? 5000,
  });
const kindsOf = (outcomes: readonly { readonly kind: string }[]): string[] =>
  outcomes.map(({ kind }) => kind);

it('a command whose other attempt, with another content, is in the log is a duplicate; what is chained is decided on that', async () => {
  const { link, counters, open } = await setUp();
  const rival = await open();
  const commandId = randomUUID();
  link.hold('requests');
  const mine = execute(counters, 1, { commandId }); // the same command, decided at another time
  const chained = execute(counters, 10);
  expect(await execute(rival.counters, 100, { commandId })).toMatchObject({ kind: 'accepted', state: 100 });
  link.release();
  expect(await mine).toMatchObject({ kind: 'duplicate', state: 100, version: 1 });
  expect(await chained).toMatchObject({ kind: 'accepted', state: 110, version: 2 });
  expect((await open()).counters.load('s')).toMatchObject({ state: 110, version: 2 });
});

it('two attempts whose events differ in their type alone are two: neither is taken for the other, nor chained on it', async () => {
  const decisions = {
    name: 'decisions',
    partitions: 4,
    schemas: {
      Approved: { ...countedSchema, name: 'Approved' },
      Refused: { ...countedSchema, name: 'Refused' },
    },
  };
  interface Decided {
    readonly type: 'Approved' | 'Refused';
    readonly data: Counted['data'];
  }
  const broker = createMemoryBroker();
  const open = async () => {
    const link = new MemoryLink();
    const log = openMemoryLog({ broker, link });
    const states = log.aggregate<readonly string[], Decided>({
      name: 'decision',
      topic: decisions,
      initial: [],
      evolve: (state, { type }) => [...state, type],
    });
    await log.start();
    const decide = (type: Decided['type'], commandId: string = randomUUID()) =>
      states.execute({
        streamId: 's',
        commandId,
        decide: () => ({ kind: 'events', events: [{ type, data: counted(1).data }] }),
        metadata,
      });
    return { link, states, decide };
  };
  const [mine, rival] = [await open(), await open()];
  const commandId = randomUUID();
  mine.link.hold('requests');
  const first = mine.decide('Approved', commandId);
  const chained = mine.decide('Approved');
  expect(await rival.decide('Refused', commandId)).toMatchObject({ kind: 'accepted', state: ['Refused'] });
  mine.link.release();
  expect(await first).toMatchObject({ kind: 'duplicate', state: ['Refused'] });
  expect(await chained).toMatchObject({ kind: 'accepted', state: ['Refused', 'Approved'], version: 2 });
  expect((await open()).states.load('s')).toMatchObject({ state: ['Refused', 'Approved'], version: 2 });
});

it('a command that came from elsewhere under the same id is no loss, however few losses are allowed', async () => {
  const { link, counters, open } = await setUp({ maxConflictRetries: 0 });
  const rival = await open();
  const commandId = randomUUID();
  link.hold('requests');
  const mine = execute(counters, 1, { commandId });
  expect(await execute(rival.counters, 100, { commandId })).toMatchObject({ kind: 'accepted' });
  link.release();
  expect(await mine).toMatchObject({ kind: 'duplicate', state: 100 });
});

it('a plain append is told of its own attempt, and not of what another process wrote under the same commit id', async () => {
  const { link, counters, open } = await setUp();
  const rival = await open();
  const append = (to: typeof counters, by: number, baseVersion: number) =>
    to.append({
      commitId,
      streamId: 's',
      baseVersion,
      previousCommitId: undefined,
      events: [counted(by)],
      metadata,
    });
  const commitId = randomUUID();
  link.hold('requests');
  const mine = append(counters, 1, 0);
  await new Promise((resolve) => setImmediate(resolve)); // on its way
  expect(await append(rival.counters, 1, 7)).toMatchObject({ kind: 'conflict' }); // based on what never was
  expect(await append(rival.counters, 100, 0)).toMatchObject({ kind: 'accepted', version: 1 });
  link.release();
  expect(await mine).toMatchObject({ kind: 'duplicate', version: 1 });
  expect(counters.load('s')).toMatchObject({ state: 100, version: 1 });
});

it('one command id in two spellings is one command', async () => {
  const { counters } = await setUp();
  const commandId = randomUUID();
  const both = [
    execute(counters, 1, { commandId }),
    execute(counters, 1, { commandId: commandId.toUpperCase() }),
  ];
  expect(kindsOf(await Promise.all(both))).toEqual(['accepted', 'duplicate']);
  expect(counters.load('s')).toMatchObject({ state: 1, version: 1 });
});

it('a second call of a command that is under way is told at its own deadline', async () => {
  const { link, counters } = await setUp();
  const commandId = randomUUID();
  link.hold('answers');
  const patient = execute(counters, 1, { commandId, deadlineMs: 30_000 });
  expect(await execute(counters, 1, { commandId, deadlineMs: 50 })).toEqual({
    kind: 'unknown',
    commitId: commandId,
  });
  link.release();
  expect(await patient).toMatchObject({ kind: 'accepted', state: 1 });
});

it('the nil UUID, which in the log means no commit, is refused as a command id and as a commit id', async () => {
  const { broker, counters } = await setUp();
  const nil = '00000000-0000-0000-0000-000000000000';
  await expect(execute(counters, 1, { commandId: nil })).rejects.toThrow(TypeError);
  const commit = { commitId: nil, streamId: 's', baseVersion: 0, previousCommitId: undefined };
  await expect(counters.append({ ...commit, events: [counted(1)], metadata })).rejects.toThrow(TypeError);
  expect(broker.records('attempts', partition)).toHaveLength(0);
});

it('a refusal in the middle of a chain leaves what is before it alone', async () => {
  const { broker, counters } = await setUp();
  broker.failNextSends('refused', 'none', 'refused'); // the batch, and its second commit alone
  const outcomes = await Promise.all([1, 2, 4].map((by) => execute(counters, by)));
  expect(outcomes).toMatchObject([
    { kind: 'accepted', state: 1, version: 1 },
    { kind: 'rejected' },
    { kind: 'accepted', state: 5, version: 2 },
  ]);
});

it('deadlines of commands that wait for a send that hangs decide the others again once, not each time', async () => {
  const { link, counters } = await setUp();
  let decides = 0;
  const onDecide = (): void => {
    decides++;
  };
  link.hold('requests');
  const first = execute(counters, 1);
  await new Promise((resolve) => setImmediate(resolve)); // on its way; what follows waits for its answer
  const hurried = Array.from({ length: 100 }, (_, at) =>
    execute(counters, 1, { deadlineMs: 20 + at, onDecide }),
  );
  const patient = Array.from({ length: 100 }, () => execute(counters, 1, { deadlineMs: 60_000, onDecide }));
  expect(new Set(kindsOf(await Promise.all(hurried)))).toEqual(new Set(['unavailable']));
  link.release();
  expect(await first).toMatchObject({ kind: 'accepted' });
  expect(new Set(kindsOf(await Promise.all(patient)))).toEqual(new Set(['accepted']));
  expect(counters.load('s')).toMatchObject({ state: 101, version: 101 });
  expect(decides).toBe(300); // each once, and those that were chained on one that was given up once more
});

it('a command that is repeated while its first attempt may be in the log is unknown at its deadline, never unavailable', async () => {
  const { broker, counters, link, open } = await setUp();
  const commandId = randomUUID();
  link.hold('answers');
  broker.failNextSends('acknowledgement-lost', 'refused'); // what was refused is heard of before anything is decided
  expect(await execute(counters, 1, { commandId })).toMatchObject({ kind: 'unknown' });
  const again = await execute(counters, 1, { commandId, deadlineMs: 50 });
  expect(again).toEqual({ kind: 'unknown', commitId: commandId });
  link.release();
  expect((await open()).counters.load('s')).toMatchObject({ state: 1, version: 1 });
});

it('a command that is repeated while its first attempt is under way is unknown at its deadline, also when nothing is decided', async () => {
  const { counters, link } = await setUp();
  const commandId = randomUUID();
  link.hold('requests');
  const first = execute(counters, 1, { commandId, deadlineMs: 50 });
  await new Promise((resolve) => setImmediate(resolve)); // on its way; what follows waits for its answer
  expect(await execute(counters, 2, { deadlineMs: 50 })).toMatchObject({ kind: 'unavailable' });
  expect(await first).toMatchObject({ kind: 'unknown' });
  expect(await execute(counters, 1, { commandId, deadlineMs: 50 })).toEqual({
    kind: 'unknown',
    commitId: commandId,
  });
  const left = execute(counters, 1, { commandId });
  link.release();
  expect(['accepted', 'duplicate']).toContain((await left).kind);
  expect(counters.load('s')).toMatchObject({ state: 1, version: 1 });
});

it('a reader that stands still is not given copies to read, and the room for what it has not met is bounded', async () => {
  const { broker, counters } = await setUp({ echoDeadlineMs: 40, maxQueuedCommands: 5 });
  expect(await execute(counters, 1)).toMatchObject({ kind: 'accepted' });
  broker.registry.hold('requests');
  const value = Buffer.from([0, 0, 0, 0, 99]); // of a schema that only the registry could know
  const header = {
    commit: toKey(randomUUID()),
    previous: '',
    base: 0,
    index: 0,
    size: 1,
    history: undefined,
  };
  broker.appendRaw('attempts', partition, {
    key: Buffer.from('stranger'),
    value,
    headers: { [logHeaders.commit]: encodeCommitHeader(header) },
  });
  for (let sent = 0; sent < 5; sent++)
    expect(await run(counters, 's', 1, { deadlineMs: 100 })).toMatchObject({ kind: 'unknown' });
  expect(await run(counters, 's', 1)).toEqual({ kind: 'unavailable', reason: 'queue-full' });
  expect(broker.records('attempts', partition)).toHaveLength(1 + 1 + 5);
  broker.registry.release();
  await expect.poll(() => counters.load('s').version).toBe(6);
  expect(await execute(counters, 1)).toMatchObject({ kind: 'accepted', state: 7 });
});

import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { counted, countedTopic, counterOf, type Counted } from '../../testing/feature-suite.ts';
import { partitionOf } from '../log/partition-of.ts';
import type { Aggregates, EventLog } from '../ports.ts';
import { createMemoryBroker, openMemoryLog } from './open.ts';

const topic = countedTopic('faults');
const metadata = { correlationId: 'faults' };
const setUp = async (limits = {}) => {
  const broker = createMemoryBroker();
  const open = async (): Promise<{ log: EventLog; counters: Aggregates<number, Counted> }> => {
    const log = openMemoryLog({ broker, limits });
    const counters = log.aggregate(counterOf(topic));
    await log.start();
    return { log, counters };
  };
  return { broker, open, ...(await open()) };
};
const run = (
  counters: Aggregates<number, Counted>,
  by: number,
  options: { commandId?: string; deadlineMs?: number } = {},
) =>
  counters.execute({
    streamId: 's',
    commandId: options.commandId ?? randomUUID(),
    decide: () => ({ kind: 'events', events: [counted(by)] }),
    metadata,
    ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }),
  });

describe('when the log fails', () => {
  it('a send that is lost is repeated and the command is accepted', async () => {
    const { broker, counters } = await setUp();
    broker.failNextSends('lost', 'lost');
    expect(await run(counters, 1)).toMatchObject({ kind: 'accepted', state: 1 });
  });

  it('a send whose acknowledgement is lost is repeated and counts once', async () => {
    const { broker, counters, open } = await setUp();
    broker.failNextSends('acknowledgement-lost', 'acknowledgement-lost');
    expect(await run(counters, 1)).toMatchObject({ kind: 'accepted', state: 1 });
    expect(await run(counters, 2)).toMatchObject({ kind: 'accepted', state: 3 });
    expect((await open()).counters.load('s')).toMatchObject({ state: 3, version: 2 });
  });

  it('a command that was never sent within its deadline is unavailable and never appears', async () => {
    const { broker, counters } = await setUp();
    broker.hold();
    const first = run(counters, 1, { deadlineMs: 100 });
    await expect.poll(() => broker.records('faults', partitionOf('s', 4)).length).toBe(0);
    const second = run(counters, 10, { deadlineMs: 50 });
    expect((await second).kind).toMatch(/unavailable|unknown/);
    expect(await first).toMatchObject({ kind: 'unknown' });
    broker.release();
    await expect.poll(() => counters.load('s').version).toBeGreaterThan(0);
  });

  it('an unknown command that is sent again under its id counts once', async () => {
    const { broker, counters } = await setUp();
    const commandId = randomUUID();
    broker.hold();
    expect(await run(counters, 1, { commandId, deadlineMs: 50 })).toMatchObject({
      kind: 'unknown',
      commitId: commandId,
    });
    broker.release();
    const again = await run(counters, 1, { commandId });
    expect(['accepted', 'duplicate']).toContain(again.kind);
    expect(counters.load('s')).toMatchObject({ state: 1, version: 1 });
  });

  it('commands chained on a predecessor that loses are decided again, in order, on what won', async () => {
    const { broker, counters, open } = await setUp();
    const rival = await open();
    broker.hold();
    const mine = [run(counters, 1), run(counters, 2), run(counters, 3)];
    const theirs = run(rival.counters, 100);
    broker.release();
    const outcomes = await Promise.all([...mine, theirs]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['accepted', 'accepted', 'accepted', 'accepted']);
    expect(counters.load('s')).toMatchObject({ state: 106, version: 4 });
  });

  it('a full queue refuses with a retryable answer, and what is queued is not lost', async () => {
    const { broker, counters } = await setUp({ maxQueuedCommands: 3 });
    broker.hold();
    const queued = [run(counters, 1), run(counters, 1), run(counters, 1)];
    expect(await run(counters, 1)).toEqual({ kind: 'unavailable', reason: 'queue-full' });
    broker.release();
    expect((await Promise.all(queued)).map(({ kind }) => kind)).toEqual(['accepted', 'accepted', 'accepted']);
  });

  it('a reader of a log that was cut drops its state and folds what is there', async () => {
    const { broker, counters, open } = await setUp();
    await run(counters, 1);
    await run(counters, 2);
    broker.truncate('faults', partitionOf('s', 4), 1);
    await expect.poll(() => counters.load('s').version).toBe(1);
    expect(await run(counters, 5)).toMatchObject({ kind: 'accepted', state: 6, version: 2 });
    expect((await open()).counters.load('s')).toMatchObject({ state: 6, version: 2 });
  });
});

describe('bad records', () => {
  const partition = partitionOf('s', 4);
  const key = Buffer.from('s');
  it.each([
    ['no headers', { key, value: Buffer.from([0, 0, 0, 0, 1]) }],
    ['a null value', { key, value: null, headers: { 'parley-commit': Buffer.alloc(40, 1) } }],
    ['no key', { key: null, value: null, headers: {} }],
    ['rubbish', { key, value: Buffer.from('rubbish'), headers: { 'parley-commit': Buffer.from('short') } }],
  ])('with %s are counted and skipped by every reader alike', async (_what, record) => {
    const { broker, counters, open, log } = await setUp();
    await run(counters, 1);
    broker.appendRaw('faults', partition, record);
    expect(await run(counters, 2)).toMatchObject({ kind: 'accepted', state: 3 });
    const other = await open();
    expect(other.counters.load('s')).toEqual(counters.load('s'));
    expect(other.log.health().topics).toEqual(log.health().topics);
    expect(log.health().topics[0]?.badRecords).toBe(1);
  });
});

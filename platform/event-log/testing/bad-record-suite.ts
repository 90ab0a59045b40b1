/** Records that no reader can read, and events that only some releases know: every reader reaches one verdict. */
import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import avsc, { type Schema } from 'avsc';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { encodeCommitHeader, toKey } from '../src/arbitration/commit-header.ts';
import { logHeaders } from '../src/headers.ts';
import { partitionOf } from '../src/log/partition-of.ts';
import type { AggregateDefinition, EventTopic, RecordedEvent } from '../src/ports.ts';
import { counted, countedSchema, counterOf, sumsOf, type Counted } from './counter.ts';
import { freshTopic, metadata, run, WAIT_MS_MAX, type Nodes } from './harness.ts';

const STREAM = 's';

/** Confluent wire format, with any body. */
const wire = (schemaId: number, body: Buffer): Buffer => {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(schemaId, 1);
  return Buffer.concat([prefix, body]);
};

const commitHeaders = (at: {
  base: number;
  previous?: string;
  commit?: string;
  index?: number;
  size?: number;
}) => ({
  [logHeaders.commit]: encodeCommitHeader({
    commit: toKey(at.commit ?? randomUUID()),
    previous: at.previous === undefined ? '' : toKey(at.previous),
    base: at.base,
    index: at.index ?? 0,
    size: at.size ?? 1,
    history: undefined,
  }),
});

const bodyOf = (schema: object, data: object): Buffer => avsc.Type.forSchema(schema as Schema).toBuffer(data);

/** A logger that keeps what it is told. */
const recorder = () => {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
  return { logger: pino({ level: 'warn' }, { write }), lines };
};

interface Renamed {
  readonly type: 'Renamed';
  readonly data: { readonly name: string };
}
const renamedSchema = {
  type: 'record',
  name: 'Renamed',
  namespace: 'parley.test',
  fields: [{ name: 'name', type: 'string' }],
};

/** What a newer release has declared on the same topic. */
const newerTopic = ({ name, partitions }: EventTopic<Counted>): EventTopic<Counted | Renamed> => ({
  name,
  partitions,
  schemas: { Counted: countedSchema, Renamed: renamedSchema },
});
const newerCounter = (topic: EventTopic<Counted>): AggregateDefinition<number, Counted | Renamed> => ({
  name: 'counter',
  topic: newerTopic(topic),
  initial: 0,
  evolve: (sum, event) => (event.type === 'Counted' ? sum + event.data.by : sum),
});

export function badRecordSuite(nodes: Nodes): void {
  it('records that cannot be read are counted, logged once each, and skipped by every reader alike', async () => {
    const topic = freshTopic();
    const partition = partitionOf(STREAM, topic.partitions);
    const { logger, lines } = recorder();
    const harness = await nodes.harness();
    const { counters, sums, log } = await nodes.node(topic, { logger });
    const schemaId = await harness.registerSchema('parley.test.Counted', countedSchema);
    const good = bodyOf(countedSchema, { by: 1000, note: '' });
    const key = Buffer.from(STREAM);
    const next = () => {
      const { version, lastCommitId } = counters.load(STREAM);
      return commitHeaders({
        base: version,
        ...(lastCommitId === undefined ? {} : { previous: lastCommitId }),
      });
    };
    const bad: (() => Parameters<typeof harness.appendRaw>[2])[] = [
      () => ({ key, value: wire(schemaId, good) }), // no headers
      () => ({ key, value: wire(schemaId, good), headers: { [logHeaders.commit]: Buffer.from('short') } }),
      () => ({ key: null, value: wire(schemaId, good), headers: next() }),
      () => ({ key, value: null, headers: next() }),
      () => ({
        key,
        value: Buffer.concat([Buffer.from([1]), wire(schemaId, good).subarray(1)]),
        headers: next(),
      }),
      () => ({ key, value: wire(987_654_321, good), headers: next() }), // unknown schema ids
      () => ({ key, value: wire(0xffff_ffff, good), headers: next() }),
      () => ({ key, value: wire(0, good), headers: next() }),
      () => ({ key, value: wire(schemaId, good.subarray(0, 1)), headers: next() }), // truncated
      () => ({ key, value: wire(schemaId, Buffer.concat([good, good])), headers: next() }), // too long
      () => ({ key, value: Buffer.alloc(0), headers: next() }),
    ];
    const offsets: number[] = [];
    for (const [index, record] of bad.entries()) {
      offsets.push(await harness.appendRaw(topic.name, partition, record()));
      expect(await run(counters, STREAM, 1)).toMatchObject({ kind: 'accepted', version: index + 1 });
    }
    expect(log.health().topics[0]).toMatchObject({ badRecords: bad.length, accepted: bad.length });
    const reported = lines.filter(({ msg }) => msg === 'bad record skipped');
    expect(reported.map(({ offset }) => offset)).toEqual(offsets);
    for (const line of reported) expect(line).toMatchObject({ topic: topic.name, partition });
    const later = await nodes.node(topic);
    expect(later.sums.stateHash()).toBe(sums.stateHash());
    expect(later.log.health().topics).toEqual(log.health().topics);
  });

  it('a copy of a stream in another partition than its own begins no second stream', async () => {
    const topic = freshTopic();
    const partition = partitionOf(STREAM, topic.partitions);
    const harness = await nodes.harness();
    const { counters, sums, log } = await nodes.node(topic);
    const schemaId = await harness.registerSchema('parley.test.Counted', countedSchema);
    expect(await run(counters, STREAM, 1)).toMatchObject({ kind: 'accepted', version: 1 });
    const before = sums.stateHash();
    const other = (partition + 1) % topic.partitions;
    const offset = await harness.appendRaw(topic.name, other, {
      key: Buffer.from(STREAM),
      value: wire(schemaId, bodyOf(countedSchema, { by: 1000, note: '' })),
      headers: commitHeaders({ base: 0 }),
    });
    expect(
      await log.waitFor({ topic: topic.name, partition: other, offset }, { deadlineMs: WAIT_MS_MAX }),
    ).toBe('reached');
    expect(log.health().topics[0]).toMatchObject({ badRecords: 1, accepted: 1 });
    expect(counters.load(STREAM)).toMatchObject({ state: 1, version: 1 });
    expect(sums.stateHash()).toBe(before);
  });

  it('a commit with one record that cannot be read is dropped as a whole', async () => {
    const topic = freshTopic();
    const harness = await nodes.harness();
    const { counters, log } = await nodes.node(topic);
    const schemaId = await harness.registerSchema('parley.test.Counted', countedSchema);
    const good = wire(schemaId, bodyOf(countedSchema, { by: 1, note: '' }));
    const commit = randomUUID();
    for (const [index, value] of [good, null, good].entries()) {
      const headers = commitHeaders({ commit, base: 0, index, size: 3 });
      await harness.appendRaw(topic.name, partitionOf(STREAM, topic.partitions), {
        key: Buffer.from(STREAM),
        value,
        headers,
      });
    }
    expect(await run(counters, STREAM, 5)).toMatchObject({ kind: 'accepted', state: 5, version: 1 });
    expect(log.health().topics[0]).toMatchObject({ badRecords: 1, accepted: 1, conflicts: 0 });
  });

  it('a reaction waits for the verdict on a commit that is not complete, and never acts on one that stays so', async () => {
    const topic = freshTopic();
    const partition = partitionOf(STREAM, topic.partitions);
    const reacted: number[] = [];
    const react = ({ event }: RecordedEvent<Counted>): Promise<void> => {
      reacted.push(event.data.by);
      return Promise.resolve();
    };
    const harness = await nodes.harness();
    const { counters, log } = await nodes.node(topic, { react });
    const schemaId = await harness.registerSchema('parley.test.Counted', countedSchema);
    const append = (by: number, headers: ReturnType<typeof commitHeaders>): Promise<number> =>
      harness.appendRaw(topic.name, partition, {
        key: Buffer.from(STREAM),
        value: wire(schemaId, bodyOf(countedSchema, { by, note: '' })),
        headers,
      });
    const [never, whole] = [randomUUID(), randomUUID()];
    const folded = async (offset: number): Promise<void> => {
      const position = { topic: topic.name, partition, offset };
      expect(await log.waitFor(position, { deadlineMs: WAIT_MS_MAX })).toBe('reached');
    };
    await folded(await append(1, commitHeaders({ commit: never, base: 0, index: 0, size: 2 })));
    await folded(await append(2, commitHeaders({ commit: whole, base: 0, index: 0, size: 2 })));
    await folded(await append(4, commitHeaders({ commit: whole, base: 0, index: 1, size: 2 })));
    expect(await run(counters, STREAM, 8)).toMatchObject({ kind: 'accepted', state: 14, version: 3 });
    await expect.poll(() => reacted.at(-1), { timeout: WAIT_MS_MAX }).toBe(8);
    expect(reacted).toEqual([2, 4, 8]);
  });

  it('an event type that an older release does not know counts for its versions, and never for its folds', async () => {
    const topic = freshTopic();
    const reacted: number[] = [];
    const older = await nodes.node(topic, {
      react: ({ version }: RecordedEvent<Counted>) => {
        reacted.push(version);
        return Promise.resolve();
      },
    });
    const { log } = await nodes.open();
    const newer = log.aggregate(newerCounter(topic));
    await log.start();
    const commands: readonly (Counted | Renamed)[][] = [
      [counted(1)],
      [{ type: 'Renamed', data: { name: 'x' } }],
      [counted(2), { type: 'Renamed', data: { name: 'y' } }, counted(4)],
    ];
    for (const events of commands) {
      const decide = () => ({ kind: 'events' as const, events });
      const outcome = await newer.execute({ streamId: STREAM, commandId: randomUUID(), decide, metadata });
      expect(outcome).toMatchObject({ kind: 'accepted' });
    }
    await expect.poll(() => older.counters.load(STREAM).version, { timeout: WAIT_MS_MAX }).toBe(5);
    expect(older.counters.load(STREAM)).toEqual(newer.load(STREAM));
    expect(older.log.health().topics[0]).toMatchObject({ accepted: 5, skippedTypes: 2, badRecords: 0 });
    expect(log.health().topics[0]).toMatchObject({ accepted: 5, skippedTypes: 0, badRecords: 0 });
    // Both go on writing on the same stream: neither has a version of its own.
    expect(await run(older.counters, STREAM, 8)).toMatchObject({ kind: 'accepted', version: 6, state: 15 });
    const decide = () => ({ kind: 'events' as const, events: [counted(16)] });
    await expect.poll(() => newer.load(STREAM).version, { timeout: WAIT_MS_MAX }).toBe(6);
    expect(
      await newer.execute({ streamId: STREAM, commandId: randomUUID(), decide, metadata }),
    ).toMatchObject({ kind: 'accepted', version: 7, state: 31 });
    await expect.poll(() => reacted, { timeout: WAIT_MS_MAX }).toEqual([1, 3, 5, 6, 7]);
  });

  it('an event whose schema does not resolve to the declared one counts for the version, if its own reads it', async () => {
    const topic = freshTopic();
    const harness = await nodes.harness();
    const { counters, log } = await nodes.node(topic);
    const other = { ...countedSchema, fields: [{ name: 'by', type: { type: 'array', items: 'string' } }] };
    const schemaId = await harness.registerSchema(`other.${randomUUID()}`, other);
    const key = Buffer.from(STREAM);
    const partition = partitionOf(STREAM, topic.partitions);
    const commit = randomUUID();
    await harness.appendRaw(topic.name, partition, {
      key,
      value: wire(schemaId, bodyOf(other, { by: ['a', 'b'] })),
      headers: commitHeaders({ commit, base: 0 }),
    });
    await harness.appendRaw(topic.name, partition, {
      key,
      value: wire(schemaId, Buffer.from([0x04, 0x02])), // ends within its own schema
      headers: commitHeaders({ base: 1, previous: commit }),
    });
    await expect.poll(() => log.health().topics[0]?.badRecords, { timeout: WAIT_MS_MAX }).toBe(1);
    expect(log.health().topics[0]).toMatchObject({ accepted: 1, skippedTypes: 1 });
    expect(counters.load(STREAM)).toMatchObject({ version: 1, state: 0, lastCommitId: commit });
    expect(await run(counters, STREAM, 3)).toMatchObject({ kind: 'accepted', version: 2, state: 3 });
  });

  it('a fold that throws is left out and said, and every other fold and the versions go on', async () => {
    const topic = freshTopic();
    const { logger, lines } = recorder();
    const { log } = await nodes.open({ logger });
    const counters = log.aggregate(counterOf(topic));
    const sums = log.project(sumsOf(topic));
    const fragile = log.project<number, Counted>({
      name: 'fragile',
      topic,
      fold: (row, { event }) => {
        if (event.data.by === 13) throw new RangeError('unlucky');
        return (row ?? 0) + event.data.by;
      },
    });
    await log.start();
    for (const by of [1, 13, 2]) expect(await run(counters, STREAM, by)).toMatchObject({ kind: 'accepted' });
    expect(sums.get(STREAM)).toEqual({ sum: 16, events: 3 });
    expect(fragile.get(STREAM)).toBe(3);
    expect(log.health().topics[0]).toMatchObject({ accepted: 3, failedFolds: 1 });
    expect(lines.filter(({ target }) => target === 'fragile')).toHaveLength(1);
  });
}

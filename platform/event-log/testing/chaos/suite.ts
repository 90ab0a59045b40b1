/** Three writer processes on twenty streams, killed at random, and brokers that are killed among them. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startTestEngines, type TestEngines, type TestEnginesOptions } from '@parley/engines/testing';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type OutcomeLine, type WriterOrder } from './protocol.ts';
import { seeded } from './random.ts';
import { countedTopic, type Counted } from '../counter.ts';
import {
  contentOf,
  decodeCommitHeader,
  fromKey,
  historyAfter,
  NO_HISTORY,
  nameDigest,
  valueDigest,
} from '../../src/arbitration/commit-header.ts';
import { logHeaders } from '../../src/headers.ts';
import type { RawRecord } from '../../src/log/transport.ts';
import { kafkaClient } from '../../src/kafka/client.ts';
import { openKafkaLog } from '../../src/kafka/open.ts';
import type { TopicDurability } from '../../src/kafka/topic-settings.ts';

const WRITERS = 3;
const STREAMS = 20;
const RUN_MS = 20_000;
const WRITER_LIFE_MS_MIN = 500;
const WRITER_LIFE_MS_MAX = 4000;
const STOP_MS = 20_000;
/** What the writers must have been told before they are stopped, however slow the machine is. */
const ACCEPTED_MIN = 100;
const TOLD_MS_MAX = 300_000;
const TOLD_POLL_MS = 200;
const TEST_MS_MAX = 1_200_000;
export const CHAOS_TOPIC = 'chaos.events';
const writerPath = fileURLToPath(new URL('./writer.ts', import.meta.url));

/** On what the writers write, and what happens to it. */
export interface Chaos {
  /** Draws who dies and when, and what is written. */
  readonly seed: number;
  readonly only: TestEnginesOptions['only'];
  readonly durability: TopicDurability;
  /** How many brokers are to have been killed at least. */
  readonly brokerKillsMin: number;
  /** Kills brokers and starts them again until the time; answers how long each was away, in milliseconds. */
  readonly killBrokers: (engines: TestEngines, at: ChaosClock) => Promise<readonly number[]>;
}

export interface ChaosClock {
  /** In [0, 1), from the seed. */
  readonly random: () => number;
  readonly untilMs: number;
}

let chaos: Chaos;
let engines: TestEngines;
let directory: string;
let random: () => number;

const silent = pino({ level: 'silent' });
const exited = (child: ChildProcess): Promise<unknown> =>
  child.exitCode === null && child.signalCode === null ? once(child, 'exit') : Promise.resolve();

/** The schema of every event here. */
const COUNTED = nameDigest('parley.test.Counted');

/** Starts a writer and resolves when it writes: its life is counted from there, however slow the machine is. */
async function startWriter(name: string): Promise<ChildProcess> {
  const order: WriterOrder = {
    name,
    seed: Math.floor(random() * 2 ** 31),
    bootstrap: engines.bootstrap,
    registryUrl: engines.registryUrl,
    topic: CHAOS_TOPIC,
    durability: chaos.durability,
    streams: STREAMS,
    loops: 8,
    outcomes: join(directory, `${name}.jsonl`),
  };
  const child = spawn(process.execPath, [writerPath, JSON.stringify(order)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${name} ended before it wrote`);
  });
  await Promise.race([once(child, 'message'), ended]);
  ended.catch(() => undefined);
  return child;
}

/** Keeps one writer alive, kills it now and then until the time, and stops it at the end. Answers the number of kills. */
async function torment(
  { name, child: first }: { readonly name: string; readonly child: ChildProcess },
  { untilMs, enough }: { readonly untilMs: number; readonly enough: Promise<unknown> },
): Promise<number> {
  let child = first;
  for (let kills = 0; ; kills++) {
    const lifeMs = WRITER_LIFE_MS_MIN + random() * (WRITER_LIFE_MS_MAX - WRITER_LIFE_MS_MIN);
    const leftMs = untilMs - Date.now();
    await pause(Math.max(0, Math.min(lifeMs, leftMs)));
    if (lifeMs >= leftMs) {
      await enough;
      child.kill('SIGTERM');
      await Promise.race([exited(child), pause(STOP_MS)]);
      child.kill('SIGKILL');
      await exited(child);
      return kills;
    }
    child.kill('SIGKILL');
    await exited(child);
    child = await startWriter(name);
  }
}

interface Row {
  readonly commitId: string;
  /** Events of the commit in the fold. */
  readonly events: number;
  readonly version: number;
}

/** A reader of its own, from offset 0. */
async function readAll(): Promise<{ readonly hash: string; readonly commits: ReadonlyMap<string, number> }> {
  const log = openKafkaLog({
    service: 'chaos',
    clientId: 'chaos-reader',
    bootstrap: engines.bootstrap,
    registryUrl: engines.registryUrl,
    logger: silent,
    durability: chaos.durability,
  });
  const view = log.project<Row, Counted>({
    name: 'commits',
    topic: countedTopic(CHAOS_TOPIC),
    key: ({ streamId, commitId }) => `${streamId}/${commitId}`,
    fold: (row, { commitId, version }) => ({ commitId, version, events: (row?.events ?? 0) + 1 }),
  });
  try {
    await log.start();
    const rows = view.list({ limit: view.size });
    return { hash: view.stateHash(), commits: new Map(rows.map((row) => [row.commitId, row.events])) };
  } finally {
    await log.close();
  }
}

/** The rule once more, in a few lines of its own, on bare kafkajs. */
async function arbitrateNaively(): Promise<{
  readonly records: number;
  readonly commits: ReadonlyMap<string, number>;
}> {
  const kafka = kafkaClient({ clientId: 'chaos-naive', bootstrap: engines.bootstrap, logger: silent });
  const admin = kafka.admin();
  await admin.connect();
  const ends = await admin.fetchTopicOffsets(CHAOS_TOPIC);
  await admin.disconnect();
  const partitions = new Map<number, RawRecord[]>(ends.map(({ partition }) => [partition, []]));
  const records = ends.reduce((sum, { high }) => sum + Number(high), 0);
  const consumer = kafka.consumer({ groupId: 'chaos-naive' });
  await consumer.connect();
  await consumer.subscribe({ topic: CHAOS_TOPIC, fromBeginning: true });
  const done = Promise.withResolvers<undefined>();
  let seen = 0;
  await consumer.run({
    autoCommit: false,
    eachBatch: ({ batch }) => {
      partitions.get(batch.partition)?.push(...batch.messages);
      seen += batch.messages.length;
      if (seen >= records) done.resolve(undefined);
      return Promise.resolve();
    },
  });
  if (records === 0) done.resolve(undefined);
  await done.promise;
  await consumer.disconnect();
  const commits = new Map<string, number>();
  for (const log of partitions.values()) {
    const heads = new Map<
      string,
      { readonly version: number; readonly last: string; readonly history: number }
    >();
    for (let at = 0; at < log.length;) {
      const header = decodeCommitHeader(log[at]?.headers?.[logHeaders.commit]);
      const stream = log[at]?.key?.toString() ?? '';
      if (header === undefined) throw new Error('a record without a commit');
      const head = heads.get(stream) ?? { version: 0, last: '', history: NO_HISTORY };
      const { history = head.history } = header;
      if (header.base === head.version && header.previous === head.last && history === head.history) {
        heads.set(stream, {
          version: head.version + header.size,
          last: header.commit,
          history: historyAfter(
            head.history,
            header.commit,
            contentOf(log.slice(at, at + header.size).map(({ value }) => valueDigest(value, COUNTED))),
          ),
        });
        commits.set(fromKey(header.commit), header.size);
      }
      at += header.size; // a commit is never torn: it is one batch
    }
  }
  return { records, commits };
}

async function outcomesOf(name: string): Promise<OutcomeLine[]> {
  const text = await readFile(join(directory, `${name}.jsonl`), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line.endsWith('}')) // a writer may be killed within a line
    .map((line) => JSON.parse(line) as OutcomeLine);
}

const isAccepted = ({ kind }: OutcomeLine): boolean => kind === 'accepted' || kind === 'duplicate';
const isConflict = ({ kind }: OutcomeLine): boolean => kind === 'conflict';

/** Resolves when the writers have been told what the test expects, or at its deadline, where the test then fails. */
async function toldEnough(names: readonly string[]): Promise<void> {
  const endAtMs = Date.now() + TOLD_MS_MAX;
  while (Date.now() < endAtMs) {
    const outcomes = (await Promise.all(names.map(outcomesOf))).flat();
    if (outcomes.filter(isAccepted).length > ACCEPTED_MIN && outcomes.some(isConflict)) return;
    await pause(TOLD_POLL_MS);
  }
}

/** Three writer processes on twenty streams, killed at random, and brokers killed among them. */
export const chaosSuite = (title: string, given: Chaos): void => {
  beforeAll(async () => {
    chaos = given;
    random = seeded(chaos.seed);
    directory = await mkdtemp(join(tmpdir(), 'parley-chaos-'));
    engines = await startTestEngines({ only: chaos.only });
  });
  afterAll(async () => {
    await engines.stop();
    await rm(directory, { recursive: true, force: true });
  });
  it(
    title,
    async () => {
      const names = Array.from({ length: WRITERS }, (_, index) => `writer-${index}`);
      const writers = await Promise.all(
        names.map(async (name) => ({ name, child: await startWriter(name) })),
      );
      const untilMs = Date.now() + RUN_MS;
      // A source of its own: how soon writers die and brokers come back must not change what is drawn for the others.
      const clock = { random: seeded(chaos.seed + 1), untilMs };
      const killing = chaos.killBrokers(engines, clock);
      const enough = Promise.allSettled([killing, toldEnough(names)]);
      const [brokersDownMs, ...kills] = await Promise.all([
        killing,
        ...writers.map((writer) => torment(writer, { untilMs, enough })),
      ]);
      const outcomes = (await Promise.all(names.map(outcomesOf))).flat();
      const readers = [await readAll(), await readAll(), await readAll()];
      const naive = await arbitrateNaively();
      const [{ commits }] = readers as [(typeof readers)[0]];

      const told = (accepts: (line: OutcomeLine) => boolean): OutcomeLine[] => outcomes.filter(accepts);
      const accepted = told(isAccepted);
      const conflicts = told(isConflict);
      const refused = told(({ kind }) => kind === 'unavailable' || kind === 'rejected');
      const unknown = told(({ kind, repeated }) => kind === 'unknown' || repeated > 0);
      const writerKills = kills.reduce((sum, count) => sum + count, 0);
      const figures = {
        seed: chaos.seed,
        records: naive.records,
        'commits in the fold': commits.size,
        'told accepted': accepted.length,
        'told conflict': conflicts.length,
        'told unavailable': refused.length,
        unknown: unknown.length,
        'of them resolved': unknown.filter(({ kind }) => kind !== 'unknown').length,
        'accepted, writer killed before it heard': commits.size - accepted.length,
        'writer kills': writerKills,
        'brokers down (ms)': brokersDownMs,
        hash: readers[0]?.hash,
      };
      process.stdout.write(`${JSON.stringify(figures, null, 1)}\n`);

      expect(brokersDownMs.length).toBeGreaterThanOrEqual(chaos.brokerKillsMin);
      expect(writerKills).toBeGreaterThanOrEqual(WRITERS);
      expect(accepted.length).toBeGreaterThan(ACCEPTED_MIN);
      expect(conflicts.length).toBeGreaterThan(0);
      expect(new Set(readers.map(({ hash }) => hash)).size).toBe(1);
      expect(hashOf(naive.commits)).toBe(hashOf(commits));
      expect(accepted.filter((line) => commits.get(line.commitId) !== line.events)).toEqual([]);
      expect([...conflicts, ...refused].filter(({ commitId }) => commits.has(commitId))).toEqual([]);
      expect(new Set(outcomes.map(({ commitId }) => commitId)).size).toBe(outcomes.length);
    },
    TEST_MS_MAX,
  );
};

const hashOf = (commits: ReadonlyMap<string, number>): string =>
  createHash('sha256')
    .update(JSON.stringify([...commits].sort()))
    .digest('hex');

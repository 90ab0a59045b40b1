/** What a process does while the broker, or one of its own kind, is away. Measured times are printed. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { done } from '@parley/delivery';
import { startTestEngines, type TestEngines } from '@parley/engines/testing';
import kafkajs from 'kafkajs';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CoordinatorProxy } from '../../testing/coordinator-proxy.ts';
import { counterOf, sumsOf, type Counted } from '../../testing/counter.ts';
import { echoLimits, freshTopic, run, WAIT_MS_MAX } from '../../testing/harness.ts';
import { kafkaHarness } from '../../testing/kafka-harness.ts';
import { GATHER_MS_MAX } from '../log/gather.ts';
import { partitionOf } from '../log/partition-of.ts';
import type { EventLog, EventTopic, RecordedEvent } from '../ports.ts';
import { kafkaClient } from './client.ts';
import { openKafkaLog } from './open.ts';
import { KafkaTransport } from './transport.ts';

let engines: TestEngines;
beforeAll(async () => {
  engines = await startTestEngines({ only: ['kafka', 'registry'] });
});
afterAll(async () => {
  await engines.stop();
});

const logs: EventLog[] = [];
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const log of logs.splice(0)) await log.close();
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

const PATIENCE = { timeout: WAIT_MS_MAX, interval: 20 };
/** Of appends that fail. The log's own is so much longer that a slow machine does not make one of them the other. */
const DEADLINE_MS = 1000;

const say = (what: string, sinceMs: number): void => {
  process.stdout.write(`${what}: ${Date.now() - sinceMs} ms\n`);
};

const declare = (topic: EventTopic<Counted>, handled: number[] = []) => {
  const waits: string[] = [];
  const write = (line: string): void => {
    const { waitingFor } = JSON.parse(line) as { readonly waitingFor?: string };
    if (waitingFor !== undefined) waits.push(waitingFor);
  };
  const log = openKafkaLog({
    service: 'outage',
    clientId: 'outage',
    bootstrap: engines.bootstrap,
    registryUrl: engines.registryUrl,
    logger: pino({ level: 'warn' }, { write }),
    limits: echoLimits,
  });
  logs.push(log);
  const counters = log.aggregate(counterOf(topic));
  const sums = log.project(sumsOf(topic));
  log.react({
    group: `${topic.name}.outage`,
    topic,
    handle: ({ event }: RecordedEvent<Counted>) => {
      handled.push(event.data.by);
      return Promise.resolve(done);
    },
  });
  return { log, counters, sums, waits, handled };
};

/** A transport alone, which knows the topic, and reaches the broker at another port if one is given. */
const connected = async (topic: EventTopic<Counted>, port?: number): Promise<KafkaTransport> => {
  const transport = new KafkaTransport({
    clientId: 'alone',
    bootstrap: engines.bootstrap,
    registryUrl: engines.registryUrl,
    logger: pino({ level: 'silent' }),
    ...(port === undefined
      ? {}
      : { socketFactory: ({ onConnect }) => connect(port, '127.0.0.1', onConnect) }),
  });
  await transport.connect([topic], AbortSignal.timeout(WAIT_MS_MAX));
  return transport;
};

describe('a broker', () => {
  it('that is down at start is waited for, with a message that names it', async () => {
    await engines.kill('kafka');
    const { log, counters, waits } = declare(freshTopic());
    const starting = log.start();
    await expect.poll(() => waits, PATIENCE).toContain(`Kafka at ${engines.bootstrap}`);
    expect(log.health()).toMatchObject({ ready: false, waitingFor: 'the log to answer' });
    await engines.restart('kafka');
    const upAtMs = Date.now();
    await starting;
    say('started after the broker was ready', upAtMs);
    expect(log.health().ready).toBe(true);
    expect(await run(counters, 's', 1)).toMatchObject({ kind: 'accepted' });
  });

  it('that goes down later makes appends fail retryably within their deadline, and all recovers by itself', async () => {
    const topic = freshTopic();
    const { log, counters, sums, handled } = declare(topic);
    await log.start();
    expect(await run(counters, 's', 1)).toMatchObject({ kind: 'accepted' });
    await expect.poll(() => handled, PATIENCE).toEqual([1]);
    await engines.kill('kafka');
    const startedAtMs = Date.now();
    const deadlineMs = DEADLINE_MS;
    const failed = await Promise.all([2, 4, 8].map((by) => run(counters, 's', by, { deadlineMs })));
    const later = await run(counters, 's', 16, { deadlineMs });
    for (const { kind } of [...failed, later]) expect(['unknown', 'unavailable']).toContain(kind);
    expect(Date.now() - startedAtMs).toBeLessThan(echoLimits.echoDeadlineMs);
    await engines.restart('kafka');
    const upAtMs = Date.now();
    await expect.poll(async () => (await run(counters, 's', 32)).kind, PATIENCE).toBe('accepted');
    say('appends recovered after the broker was ready', upAtMs);
    await expect.poll(() => handled.includes(32), PATIENCE).toBe(true);
    say('reactions recovered after the broker was ready', upAtMs);
    const other = declare(topic);
    await other.log.start();
    expect(other.sums.stateHash()).toBe(sums.stateHash());
  });
});

describe('a reaction', () => {
  it('whose process is killed goes on in its successor', async () => {
    const topic = freshTopic();
    const { log, counters } = declare(topic);
    await log.start();
    const path = fileURLToPath(new URL('../../testing/reacting-process.ts', import.meta.url));
    const start = () => {
      const child = spawn(process.execPath, [path, engines.bootstrap, engines.registryUrl, topic.name], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      children.push(child);
      const handled: number[] = [];
      createInterface({ input: child.stdout }).on('line', (line) => handled.push(Number(line)));
      return { child, handled };
    };
    const first = start();
    await run(counters, 's', 1);
    await expect.poll(() => first.handled, PATIENCE).toEqual([1]);
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    const killedAtMs = Date.now();
    await run(counters, 's', 2);
    const second = start();
    await expect.poll(() => second.handled.includes(2), PATIENCE).toBe(true);
    say('a killed reaction went on in its successor', killedAtMs);
  });

  it('that gathers is handed in one batch what comes one by one, and misses nothing', async () => {
    const topic = { ...freshTopic(), partitions: 1 };
    const { log, counters } = declare(topic);
    await log.start();
    const transport = await connected(topic);
    /** Since a batch may be handed over twice, when each offset first was. */
    const handedAtMs = { eager: new Map<number, number>(), gathering: new Map<number, number>() };
    const gatherMs = { eager: 0, gathering: GATHER_MS_MAX };
    let gatherings = 0;
    for (const name of ['eager', 'gathering'] as const)
      await transport.join(
        `${topic.name}.${name}`,
        topic.name,
        {
          onAssigned: () => undefined,
          onLost: () => undefined,
          onBatch: async ({ records, commit }) => {
            if (name === 'gathering') gatherings++;
            const handed = handedAtMs[name];
            for (const offset of records.map((record) => Number(record.offset)))
              if (!handed.has(offset)) handed.set(offset, performance.now());
            await commit(Number(records.at(-1)?.offset) + 1);
          },
        },
        { gatherMs: gatherMs[name] },
      );
    const appends = 20;
    const startedAtMs = Date.now();
    const offsets: number[] = [];
    const eagerMs: number[] = [];
    for (let n = 1; n <= appends; n++) {
      const outcome = await run(counters, 's', n);
      const acceptedAtMs = performance.now();
      if (outcome.kind !== 'accepted') throw new Error(`append ${n}: ${outcome.kind}`);
      const { offset } = outcome.position;
      offsets.push(offset);
      await expect.poll(() => handedAtMs.eager.has(offset), PATIENCE).toBe(true);
      eagerMs.push((handedAtMs.eager.get(offset) ?? Infinity) - acceptedAtMs);
    }
    await expect.poll(() => offsets.every((offset) => handedAtMs.gathering.has(offset)), PATIENCE).toBe(true);
    const answersMax = 1 + Math.ceil((Date.now() - startedAtMs) / GATHER_MS_MAX); // of the broker, in this time
    expect(gatherings).toBeLessThanOrEqual(answersMax);
    const [medianMs = Infinity] = eagerMs.toSorted((a, b) => a - b).slice(appends / 2);
    process.stdout.write(
      `handed over ${medianMs.toFixed(0)} ms after it was accepted, to a member that is eager\n`,
    );
    expect(medianMs).toBeLessThan(GATHER_MS_MAX / 2);
    await transport.close();
  });

  it('that cannot join its group again at first is told to be a member once it is one', async () => {
    const topic = freshTopic();
    const { log } = declare(topic);
    await log.start();
    const proxy = await CoordinatorProxy.to(engines.ports.kafka);
    const transport = await connected(topic, proxy.port);
    const told: string[] = [];
    await transport.join(`${topic.name}.again`, topic.name, {
      onAssigned: () => told.push('assigned'),
      onLost: () => told.push('lost'),
      onBatch: () => Promise.resolve(),
    });
    await expect.poll(() => told, PATIENCE).toEqual(['assigned']);
    proxy.failOnce();
    await expect.poll(() => proxy.hasFailed, PATIENCE).toBe(true);
    await expect.poll(() => told.slice(1).includes('lost'), PATIENCE).toBe(true);
    await expect.poll(() => told.at(-1), PATIENCE).toBe('assigned'); // nobody else comes, nothing is appended
    await transport.close();
    proxy.close();
  });

  it('whose consumer kafkajs ends for good gets a new one', async () => {
    const topic = freshTopic();
    const { log, counters } = declare(topic);
    await log.start();
    await run(counters, 's', 1);
    const transport = await connected(topic);
    let batches = 0;
    const told: string[] = [];
    await transport.join(`${topic.name}.final`, topic.name, {
      onAssigned: () => told.push('assigned'),
      onLost: () => told.push('lost'),
      onBatch: () => {
        if (batches++ === 0) throw new kafkajs.KafkaJSNonRetriableError('final');
        return Promise.resolve();
      },
    });
    await expect.poll(() => batches, PATIENCE).toBeGreaterThan(1);
    expect(told.slice(0, 3)).toEqual(['assigned', 'lost', 'assigned']);
    await transport.close();
  });
});

describe('a reader', () => {
  it('whose consumer kafkajs ends for good gets a new one, and what it waits for meanwhile is told', async () => {
    const topic = freshTopic();
    const { log, counters } = declare(topic);
    await log.start();
    await run(counters, 's', 1);
    const transport = await connected(topic);
    let batches = 0;
    const told: (string | undefined)[] = [];
    await transport.read(topic.name, {
      progress: () => ({ next: 0, lastCommit: undefined }),
      onRecords: () => {
        if (batches++ === 0) throw new kafkajs.KafkaJSNonRetriableError('final');
        return Promise.resolve();
      },
      onDiverged: () => undefined,
      onWaiting: (partition, what) => {
        if (partition === undefined) told.push(what);
      },
    });
    await expect.poll(() => batches, PATIENCE).toBeGreaterThan(1);
    expect(told).toEqual(['a new consumer, as the last one has ended (final)', undefined]);
    await transport.close();
  });

  it('that comes to a hole in the log folds nothing behind it, and the log is not ready', async () => {
    const topic = freshTopic();
    const harness = await kafkaHarness(engines);
    const { log, link } = harness.open({ limits: { ...echoLimits, standstillMs: 500 } });
    logs.push(log);
    const counters = log.aggregate(counterOf(topic));
    await log.start();
    const rival = declare(topic);
    await rival.log.start();
    await run(rival.counters, 's', 1);
    await expect.poll(() => counters.load('s').version, PATIENCE).toBe(1);
    const partition = partitionOf('s', topic.partitions);
    const admin = kafkaClient({
      ...engines,
      clientId: 'stranger',
      logger: pino({ level: 'silent' }),
    }).admin();
    await admin.connect();
    await admin.fetchTopicOffsets(topic.name); // kafkajs deletes only of topics whose leaders it has asked for
    link.hold('requests');
    for (let by = 0; by < 9; by++) await run(rival.counters, 's', 1);
    await admin.deleteTopicRecords({ topic: topic.name, partitions: [{ partition, offset: '9' }] });
    link.release();
    await admin.disconnect();
    const hole = `/${partition}@(\\d) to be folded, which waits for offset \\1, which the log passes over`;
    // A reader that was held for longer than a request may take connects anew, and finds that the log was cut.
    const cut = `${topic.name} to be replayed after it was cut`;
    await expect
      .poll(() => log.health(), PATIENCE)
      .toMatchObject({
        ready: false,
        waitingFor: expect.stringMatching(new RegExp(`${hole}|${cut}`)) as unknown,
      });
    expect(counters.load('s').version).toBeLessThan(9);
    await harness.stop();
  });
});

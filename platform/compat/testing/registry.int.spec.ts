import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { eventTopics } from '@parley/contracts/topics';
import { startTestEngines, type TestEngines } from '@parley/engines/testing';
import { deriveId, openKafkaLog, type DomainEvent, type EventLog, type EventTopic } from '@parley/event-log';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { checkRegistry } from '../src/checks/registry.ts';
import { readContracts } from '../src/contract-files.ts';
import { readReleases } from '../src/released.ts';
import { repositoryDir } from './planted.ts';

const WAIT_DEADLINE_MS = 240_000;
const contractsDir = join(repositoryDir, 'contracts');
let engines: TestEngines;
const logs: EventLog[] = [];
const children: ChildProcess[] = [];

beforeAll(async () => {
  engines = await startTestEngines({ only: ['kafka', 'registry'] });
});
afterEach(async () => {
  await Promise.all(logs.splice(0).map((log) => log.close()));
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(async () => {
  await engines.stop();
});

const until = async (what: string, holds: () => boolean): Promise<void> => {
  const endAtMs = performance.now() + WAIT_DEADLINE_MS;
  while (!holds()) {
    if (performance.now() > endAtMs) throw new Error(`${what}: not within ${WAIT_DEADLINE_MS} ms`);
    await pause(20);
  }
};
const openLog = (): EventLog => {
  const log = openKafkaLog({
    service: 'test',
    clientId: 'test',
    bootstrap: engines.bootstrap,
    registryUrl: engines.registryUrl,
    logger: pino({ level: 'silent' }),
    limits: { echoDeadlineMs: WAIT_DEADLINE_MS / 4 },
  });
  logs.push(log);
  return log;
};
const registry = (method: string, path: string, body: object): Promise<Response> =>
  fetch(`${engines.registryUrl}/${path}`, {
    method,
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify(body),
  });
/** One process with the schemas of a release, or today's: what it printed. */
const peer = async (role: 'produce' | 'consume', version: string, orderId: string): Promise<unknown> => {
  const path = join(import.meta.dirname, 'peer.ts');
  const args = [path, role, version, engines.bootstrap, engines.registryUrl, orderId];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const printed = await text(child.stdout);
  return JSON.parse(printed);
};

describe('OrderCreated, which gained fields in v2', () => {
  const v1 = { customerId: 'alice', productId: 'cup', quantity: 2, createdAt: 1_700_000_000_000 };

  it('of an old producer is read by a new consumer, which fills in what v1 meant', async () => {
    const orderId = randomUUID();
    expect(await peer('produce', '1.0.0', orderId)).toMatchObject({ kind: 'accepted' });
    expect(await peer('consume', 'today', orderId)).toEqual({
      orderId,
      ...v1,
      channel: 'UNKNOWN',
      dispatchBy: 1_700_000_000_000 + 172_800_000,
    });
  });

  it('of a new producer is read by an old consumer, and by a new one as it was written', async () => {
    const orderId = randomUUID();
    expect(await peer('produce', 'today', orderId)).toMatchObject({ kind: 'accepted' });
    expect(await peer('consume', '1.0.0', orderId)).toEqual({ orderId, ...v1 });
    expect(await peer('consume', 'today', orderId)).toEqual({
      orderId,
      ...v1,
      channel: 'MOBILE',
      dispatchBy: 1_700_000_000_001,
    });
  });
});

describe('a running registry', () => {
  const compare = async () => {
    const current = readContracts(contractsDir, 'working tree');
    const releases = readReleases(contractsDir).map(({ contracts }) => contracts);
    const { findings } = await checkRegistry(engines.registryUrl, current, releases);
    return findings.map(({ contract, rule }) => `${contract} ${rule}`);
  };
  const topics: readonly EventTopic<DomainEvent>[] = eventTopics;
  const startAll = async (): Promise<void> => {
    const log = openLog();
    for (const topic of topics) log.project({ name: topic.name, topic, fold: () => undefined });
    await log.start();
  };

  it('that the services have registered with is what the repository says', async () => {
    await startAll();
    expect(await compare()).toEqual([]);
  });

  it('is told apart by rule, by a version that nobody released, and by a subject of nobody', async () => {
    await startAll();
    const subject = 'parley.payment.PaymentCompleted';
    await registry('PUT', `config/${subject}`, { compatibility: 'NONE' });
    const stray = { type: 'record', name: 'PaymentCompleted', namespace: 'parley.payment', fields: [] };
    await registry('POST', `subjects/${subject}/versions`, { schema: JSON.stringify(stray) });
    const lost = { type: 'record', name: 'OrderLost', namespace: 'parley.order', fields: [] };
    await registry('POST', 'subjects/parley.order.OrderLost/versions', { schema: JSON.stringify(lost) });
    try {
      expect((await compare()).sort()).toEqual([
        'avro parley.order.OrderLost registry/unknown-subject',
        `avro ${subject} registry/level`,
        `avro ${subject} registry/unreleased-version`,
      ]);
    } finally {
      await fetch(`${engines.registryUrl}/subjects/parley.order.OrderLost`, { method: 'DELETE' });
      await fetch(`${engines.registryUrl}/subjects/${subject}/versions/2`, { method: 'DELETE' });
    }
  });
});

/** The payment service, as its own process, with everything else away. */
function startPayment(env: Readonly<Record<string, string>> = {}): {
  readonly child: ChildProcess;
  readonly output: () => string;
} {
  const child = spawn(process.execPath, [join(repositoryDir, 'domains/payment/src/main.ts')], {
    env: {
      PATH: process.env.PATH,
      HTTP_PORT: '0',
      OPS_PORT: '0',
      KAFKA_BOOTSTRAP: engines.bootstrap,
      REGISTRY_URL: engines.registryUrl,
      PARLEY_RUN_DIR: engines.runDir,
      LOG_LEVEL: 'info',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  return { child, output: () => output };
}

describe('a service', () => {
  it('whose schema the registry refuses ends with 3 and the registry’s reason', async () => {
    const subject = 'parley.payment.PaymentFailed';
    await fetch(`${engines.registryUrl}/subjects/${subject}`, { method: 'DELETE' });
    const foreign = {
      type: 'record',
      name: 'PaymentFailed',
      namespace: 'parley.payment',
      fields: [{ name: 'somethingElse', type: 'string' }],
    };
    // By someone who set no rule: the service sets it before anything is compared.
    const planted = await registry('POST', `subjects/${subject}/versions`, {
      schema: JSON.stringify(foreign),
    });
    expect(planted.ok).toBe(true);
    try {
      const { child, output } = startPayment();
      const [code] = (await once(child, 'exit')) as [number | null];
      expect(output()).toContain('SchemaRefused');
      expect(output()).toContain(subject);
      expect(code).toBe(3);
    } finally {
      await fetch(`${engines.registryUrl}/subjects/${subject}`, { method: 'DELETE' });
    }
  });

  it('whose topics have fewer copies than it asks for ends with 3, what they have and what to do', async () => {
    const first = startPayment();
    await until('it has made its topics', () => first.output().includes('"listening"'));
    first.child.kill('SIGTERM');
    await once(first.child, 'exit');
    const { child, output } = startPayment({
      KAFKA_REPLICATION_FACTOR: '3',
      KAFKA_MIN_INSYNC_REPLICAS: '2',
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    expect(output()).toContain('parley.payment.events: replication.factor is 1 and should be at least 3');
    expect(output()).toContain('parley.payment.events: min.insync.replicas is 1 and should be at least 2');
    expect(output()).toContain('kafka-reassign-partitions.sh');
    expect(code).toBe(3);
  });

  it('waits at its start for a registry that is down, and says so', async () => {
    await engines.kill('registry');
    const { child, output } = startPayment();
    await until('the wait is said', () => output().includes('waiting for the schema registry'));
    expect(child.exitCode).toBeNull();
    await engines.restart('registry');
    await until('it listens', () => output().includes('"listening"'));
    child.kill('SIGTERM');
    expect((await once(child, 'exit'))[0]).toBe(0);
  });
});

interface Ticked extends DomainEvent {
  readonly type: 'Ticked';
  readonly data: { readonly n: number; readonly note?: string };
}

describe('a registry that goes down while services run', () => {
  const topicOf = (name: string, more: readonly object[] = []): EventTopic<Ticked> => ({
    name,
    partitions: 1,
    schemas: {
      Ticked: {
        type: 'record',
        name: 'Ticked',
        namespace: name,
        fields: [{ name: 'n', type: 'int' }, ...more],
      },
    },
  });
  const tick = (log: EventLog, topic: EventTopic<Ticked>) => {
    const writer = log.aggregate<number, Ticked>({ name: 'ticks', topic, initial: 0, evolve: (n) => n + 1 });
    const view = log.project<{ readonly ns: readonly number[] }, Ticked>({
      name: 'ticks',
      topic,
      fold: (row, { event }) => ({ ns: [...(row?.ns ?? []), event.data.n] }),
    });
    const append = (n: number, note?: string) =>
      writer.execute({
        streamId: 'clock',
        commandId: deriveId(topic.name, String(n)),
        decide: () => ({
          kind: 'events',
          events: [{ type: 'Ticked', data: note === undefined ? { n } : { n, note } }],
        }),
        metadata: { correlationId: 'ticks' },
      });
    return { append, seen: () => view.get('clock')?.ns ?? [], view };
  };

  it('stops nobody: known schemas are written and read, an unknown one is waited for and not dropped', async () => {
    const name = `test.clock${randomUUID().slice(0, 8)}`;
    const older = openLog();
    const olderClock = tick(older, topicOf(name));
    await older.start();
    expect((await olderClock.append(1)).kind).toBe('accepted');
    // A newer process registers its schema while the registry is up; nobody has written with it yet.
    const newerTopic = topicOf(name, [{ name: 'note', type: 'string', default: '' }]);
    const newer = openLog();
    const newerClock = tick(newer, newerTopic);
    await newer.start();

    await engines.kill('registry');
    try {
      expect((await olderClock.append(2)).kind).toBe('accepted');
      await until('the newer reads it', () => newerClock.seen().length === 2);
      expect((await newerClock.append(3, 'new')).kind).toBe('accepted');
      // The older process meets an id that it does not know and cannot ask for: it stands still before the record.
      expect(olderClock.seen()).toEqual([1, 2]);
      expect(olderClock.view.progress()).toMatchObject({ nextOffsets: [2], badRecords: 0 });
    } finally {
      await engines.restart('registry');
    }
    await until('the older has caught up', () => olderClock.seen().length === 3);
    expect(olderClock.seen()).toEqual([1, 2, 3]);
    expect(olderClock.view.progress().badRecords).toBe(0);
    expect((await olderClock.append(4)).kind).toBe('accepted');
  });
});

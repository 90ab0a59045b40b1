import { randomUUID } from 'node:crypto';
import { readFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Endpoints } from '@parley/contracts/endpoints';
import type { OrderEvent } from '@parley/contracts/events';
import { errorCatalog } from '@parley/contracts/errors';
import { orderEvents } from '@parley/contracts/topics';
import { countingProxy, startTestEngines, type TestEngines } from '@parley/engines/testing';
import { openKafkaLog, projectionRoutes, type EventLog, type ProjectionDefinition } from '@parley/event-log';
import { eventIdOf, partitionOf, registryStore } from '@parley/event-log/tools';
import { orders, type OrderRow } from '@parley/projection-orders';
import { createService, type Service } from '@parley/service';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { recordLog, UNKNOWN_SCHEMA_ID, type RecordedLog } from '../testing/recorded-log.ts';
import { runCli, spawnCli, startCli, type CliResult } from '../testing/run-cli.ts';

let engines: TestEngines;
let recorded: RecordedLog;
let folder: string;
let file: string;
/** Of the orders, when the file was written; tests that follow the log append to it. */
let hashAtExport: string;
let env: Record<string, string>;
const closing: (() => Promise<unknown>)[] = [];

const logger = pino({ level: 'silent' });
const jsonOf = (result: CliResult): Record<string, unknown> => {
  if (result.stdout === '') throw new Error(`nothing on stdout; stderr: ${result.stderr}`);
  return JSON.parse(result.stdout) as Record<string, unknown>;
};

/** A service as far as operations see it, on the log of the test. */
async function serve(log: EventLog, start = true): Promise<Service> {
  const service = createService({
    name: 'order',
    config: {
      PARLEY_HOST: '127.0.0.1',
      HTTP_PORT: 0,
      OPS_PORT: 0,
      LOG_LEVEL: 'fatal',
      SHUTDOWN_DEADLINE_MS: 2000,
    },
    errors: errorCatalog,
    ownsProcess: false,
    spanProcessors: [],
  });
  service.addOps(projectionRoutes(log));
  await service.run(() => (start ? log.start() : undefined));
  closing.push(() => service.stop());
  return service;
}

/** endpoints.json of a stack whose services all are this one. */
async function endpointsFor(service: Service, name: string): Promise<string> {
  const ops = `http://127.0.0.1:${String(service.ports.ops)}`;
  const one = { http: ops, ops, grpc: '127.0.0.1:1' };
  const path = join(folder, name);
  const endpoints = {
    gateway: { url: ops, admin: ops },
    ...{ order: one, product: one, payment: one, notification: one, shipping: one },
    kafka: { bootstrap: engines.bootstrap },
    registry: { url: engines.registryUrl },
    rabbitmq: { amqp: 'amqp://127.0.0.1:1', management: ops },
    traces: { ui: ops, api: `${ops}/api/v2` },
    instances: [],
  } satisfies Endpoints;
  await writeFile(path, JSON.stringify(endpoints));
  return path;
}

beforeAll(async () => {
  engines = await startTestEngines({ only: ['kafka', 'registry'] });
  const { bootstrap, registryUrl } = engines;
  env = { KAFKA_BOOTSTRAP: bootstrap, REGISTRY_URL: registryUrl };
  recorded = await recordLog({ bootstrap, registryUrl });
  folder = await mkdtemp(join(tmpdir(), 'parley-timeline-'));
  file = join(folder, 'log.ndjson');
  const exported = await runCli(['log', 'export', '--out', file, '--json'], env);
  expect(exported.code, exported.stderr).toBe(0);
  hashAtExport = recorded.view.stateHash();
});
afterAll(async () => {
  for (const close of closing.reverse()) await close();
  await recorded.close();
  await engines.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('replay', () => {
  it('from Kafka, from a file and live come to one state hash, with every loser and bad record counted', async () => {
    const expected = {
      projection: 'orders',
      positions: recorded.view.progress().nextOffsets,
      rows: 1 + recorded.otherOrderIds.length,
      accepted: 3 + 2 * recorded.otherOrderIds.length,
      conflicts: recorded.conflicts,
      duplicates: recorded.duplicates,
      badRecords: recorded.badRecords,
      stateHash: recorded.view.stateHash(),
    };
    const fromKafka = jsonOf(await runCli(['replay', '--projection', 'orders'], env));
    const fromFile = jsonOf(await runCli(['replay', '--projection', 'orders', '--from-file', file], {}));
    expect(fromKafka.projections).toMatchObject([expected]);
    expect(fromFile.projections).toMatchObject([expected]);
    expect(fromKafka).toMatchObject({ records: fromFile.records });
    for (const report of [fromKafka, fromFile]) {
      expect(report.eventsPerSecond).toBeGreaterThan(0);
      expect(report.peakMemoryMb).toBeGreaterThan(10);
    }
  });

  it('stops at an offset, at an event and at a time, each from Kafka as from a file', async () => {
    const partition = partitionOf(`order-${recorded.orderId}`, orderEvents.partitions);
    const until = async (where: string) => {
      const args = ['replay', '--projection', 'orders', '--until', where];
      const [kafka, fromFile] = [await runCli(args, env), await runCli([...args, '--from-file', file], {})];
      const [one] = jsonOf(kafka).projections as { positions: number[]; rows: number; accepted: number }[];
      const [other] = jsonOf(fromFile).projections as unknown[];
      expect(other).toEqual(one);
      if (one === undefined) throw new Error('no projection');
      return one;
    };
    // created, loser, chained, started, paid lie at 0 to 4
    const atOffset = await until(`order/${String(partition)}@3`);
    expect(atOffset.positions[partition]).toBe(4);
    expect(atOffset).toMatchObject({ rows: 1, accepted: 2 });
    const atEvent = await until(eventIdOf(recorded.commits.started, 0));
    expect(atEvent).toEqual(atOffset);
    const shown = jsonOf(await runCli(['log', 'list', 'order', '--limit', '1', '--json'], env));
    const later = await until(new Date(Date.parse(String(shown.time)) + 3_600_000).toISOString());
    expect(later.positions).toEqual(recorded.view.progress().nextOffsets);
    expect(await until('2001-01-01T00:00:00Z')).toMatchObject({ positions: [0, 0, 0, 0], rows: 0 });
  });

  it('asks the registry once for each schema, however many events and partitions are written with it', async () => {
    const proxy = await countingProxy(engines.registryUrl);
    closing.push(() => proxy.close());
    const args = ['replay', '--projection', 'orders'];
    const report = jsonOf(await runCli(args, { ...env, REGISTRY_URL: proxy.url }));
    expect(report.projections).toMatchObject([{ stateHash: recorded.view.stateHash() }]);
    const asked = [...proxy.counts()].filter(
      ([request]) => request !== `GET /schemas/ids/${String(UNKNOWN_SCHEMA_ID)}`,
    );
    expect(asked).toHaveLength(4); // of three types of events, and of bad records that name another
    for (const [request, times] of asked) expect([request, times]).toEqual([request, 1]);
  });

  it('an offset past the end and an event that never was accepted are refused by name', async () => {
    const past = await runCli(['replay', '--until', 'order/0@99999'], env);
    expect(past.code).toBe(1);
    const lost = await runCli(['replay', '--until', eventIdOf(recorded.commits.loser, 0)], env);
    expect(lost).toMatchObject({ code: 1 });
    expect(lost.stderr).toContain('conflict');
  });
});

describe('replay --verify', () => {
  it('finds a service that follows the log the same', async () => {
    const service = await serve(recorded.log, false);
    const path = await endpointsFor(service, 'honest.json');
    const result = await runCli(['replay', '--verify', '--projection', 'orders'], { PARLEY_ENDPOINTS: path });
    expect(result.code, result.stderr).toBe(0);
    expect(jsonOf(result).projections).toMatchObject([
      { projection: 'orders', verification: { equal: true, service: 'order', differing: 0 } },
    ]);
  });

  it('catches a row that differs, and names its stream and field', async () => {
    const [victim = '', ghost = ''] = recorded.otherOrderIds;
    const planted: ProjectionDefinition<OrderRow, OrderEvent> = {
      ...orders,
      fold: (row, event) => {
        if (event.streamId === `order-${ghost}`) return undefined;
        const after = orders.fold(row, event);
        return after !== undefined && event.streamId === `order-${victim}`
          ? { ...after, quantity: 3 }
          : after;
      },
    };
    const { bootstrap, registryUrl } = engines;
    const log = openKafkaLog({ service: 'order', clientId: 'planted', bootstrap, registryUrl, logger });
    log.project(planted);
    closing.push(() => log.close());
    const path = await endpointsFor(await serve(log), 'planted.json');
    const result = await runCli(['replay', '--verify', '--projection', 'orders'], { PARLEY_ENDPOINTS: path });
    expect(result.code).toBe(1);
    const [{ verification } = { verification: undefined }] = jsonOf(result).projections as {
      verification: { differences: { streamId: string; key: string; fields: unknown[] }[] };
    }[];
    expect(verification).toMatchObject({ equal: false, differing: 2 });
    const byStream = new Map(verification?.differences.map((one) => [one.streamId, one]));
    expect(byStream.get(`order-${victim}`)?.fields).toEqual([{ path: 'quantity', before: 2, after: 3 }]);
    expect(byStream.get(`order-${ghost}`)?.fields).toMatchObject([
      { path: '(row)', before: { orderId: ghost } },
    ]);
    const args = ['replay', '--verify', '--projection', 'orders'];
    const told = await runCli(args, { PARLEY_ENDPOINTS: path }, { isTTY: true });
    expect(told.stdout).toContain('order: DIFFERENT');
    expect(told.stdout).toContain(`  order-${victim}\n    quantity: 2 → 3\n`);
    expect(told.stderr).toMatch(/orders [█░]{24}/);
  });
});

describe('log show', () => {
  const copiesOf = async (commitId: string) => {
    const result = await runCli(['log', 'show', eventIdOf(commitId, 0), '--json'], env);
    return jsonOf(result) as unknown as { verdict: string; why: string }[];
  };

  it('says what was accepted, with the schema that it was written with', async () => {
    expect(await copiesOf(recorded.commits.paid)).toMatchObject([
      {
        verdict: 'accepted',
        type: 'OrderPaid',
        version: 3,
        schema: { name: 'parley.order.OrderPaid', version: 1 },
        data: { orderId: recorded.orderId },
      },
    ]);
  });

  it('says which commit a conflict lost against, and that what was chained to it lost with it', async () => {
    expect(await copiesOf(recorded.commits.loser)).toMatchObject([
      { verdict: 'conflict', other: { commitId: recorded.commits.created, version: 1 } },
    ]);
    const [chained] = await copiesOf(recorded.commits.chained);
    expect(chained).toMatchObject({ verdict: 'conflict', other: { commitId: recorded.commits.loser } });
    expect(chained?.why).toContain('itself lost');
  });

  it('says of a second copy where the first was accepted', async () => {
    expect(await copiesOf(recorded.commits.created)).toMatchObject([
      { verdict: 'accepted' },
      { verdict: 'duplicate', other: { commitId: recorded.commits.created, version: 1, offset: 0 } },
    ]);
  });

  it('an id that no event has is not found', async () => {
    expect(await runCli(['log', 'show', eventIdOf(recorded.commits.paid, 7)], env)).toMatchObject({
      code: 1,
    });
  });
});

describe('log list', () => {
  it('shows bad records and commits that were never completed as what they are, and filters', async () => {
    const all = await runCli(['log', 'list', 'order', '--limit', '1000', '--json'], env);
    const records = all.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { verdict: string; stream?: string });
    const count = (verdict: string): number => records.filter((record) => record.verdict === verdict).length;
    expect(count('accepted')).toBe(3 + 2 * recorded.otherOrderIds.length);
    expect(count('conflict')).toBe(2);
    expect(count('duplicate')).toBe(1);
    expect(count('unreadable') + count('incomplete')).toBe(recorded.badRecords);
    const filtered = await runCli(
      ['log', 'list', 'order', '--type', 'PaymentStarted', '--correlation', recorded.correlationId, '--json'],
      env,
    );
    expect(
      filtered.stdout
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { verdict: string }).verdict),
    ).toEqual(['conflict', 'accepted']);
  });
});

describe('log list --follow', () => {
  it('tells what comes as it comes, what matches only, each once, until Ctrl-C', async () => {
    const correlationId = randomUUID();
    const expected = [await recorded.createOrder(correlationId)];
    const args = ['log', 'list', 'order', '--correlation', correlationId, '--follow', '--json'];
    const following = startCli(args, env);
    const told = (): unknown[] =>
      following.lines().map((line) => (JSON.parse(line) as { readonly stream: string }).stream);
    const isTold = () =>
      vi.waitFor(
        () => {
          expect(told()).toEqual(expected);
        },
        { timeout: 120_000 },
      );
    try {
      await isTold();
      for (let more = 0; more < 3; more++) {
        await recorded.createOrder(randomUUID());
        expected.push(await recorded.createOrder(correlationId));
        await isTold();
      }
    } finally {
      following.interrupt();
    }
    expect(await following.ended).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('log order and log state', () => {
  it('tells the events of an order across topics, causes first, and that its trace is not to be had', async () => {
    const story = jsonOf(await runCli(['log', 'order', recorded.orderId, '--json'], env));
    const items = story.items as {
      record: { type: string; verdict: string };
      causes: string[];
      id: string;
    }[];
    const accepted = items
      .filter(({ record }) => record.verdict === 'accepted')
      .map(({ record }) => record.type);
    expect(accepted).toEqual([
      'OrderCreated',
      'PaymentStarted',
      'OrderPaid',
      'PaymentInitiated',
      'PaymentCompleted',
    ]);
    expect(story.correlationIds).toEqual([recorded.correlationId]);
    for (const [index, { causes }] of items.entries())
      for (const cause of causes) expect(items.findIndex(({ id }) => id === cause)).toBeLessThan(index);
  });

  it('shows the row at a version and what that version changed', async () => {
    const stream = `order-${recorded.orderId}`;
    expect(jsonOf(await runCli(['log', 'state', stream, '--at', '2', '--json'], env))).toMatchObject({
      version: 2,
      latest: 3,
      event: { type: 'PaymentStarted' },
      rows: [
        {
          projection: 'orders',
          row: { status: 'PAYMENT_PENDING', amount: { amountMinor: 1200 } },
          changed: [
            { path: 'amount', after: { amountMinor: 1200, currency: 'EUR' } },
            { path: 'status', before: 'CREATED', after: 'PAYMENT_PENDING' },
            { path: 'updatedAtMs' },
          ],
        },
      ],
    });
    expect(await runCli(['log', 'state', stream, '--at', '4'], env)).toMatchObject({ code: 1 });
  });
});

describe('log export and import', () => {
  it('makes the same log of a file in an empty Kafka whose registry numbers its schemas otherwise', async () => {
    const empty = await startTestEngines({ only: ['kafka', 'registry'] });
    closing.push(() => empty.stop());
    const strange = registryStore(empty.registryUrl);
    // Every id up to the one that the log of the test does not know means something here.
    for (let id = 0, next = 1; id <= UNKNOWN_SCHEMA_ID; next++)
      id = await strange.register(`parley.strange.S${String(next)}`, {
        type: 'record',
        name: `S${String(next)}`,
        namespace: 'parley.strange',
        fields: [],
      });
    const there = { KAFKA_BOOTSTRAP: empty.bootstrap, REGISTRY_URL: empty.registryUrl };
    const imported = await runCli(['log', 'import', file, '--json'], there);
    expect(imported.code, imported.stderr).toBe(0);
    const report = jsonOf(imported);
    expect(report).toMatchObject({ identical: true, nullHeadersWrittenEmpty: 0 });
    expect(Object.keys(report.renumberedSchemas as object).length).toBeGreaterThan(0);
    const again = jsonOf(await runCli(['replay', '--projection', 'orders'], there));
    expect(again.projections).toMatchObject([
      { stateHash: hashAtExport, badRecords: recorded.badRecords, conflicts: 2, duplicates: 1 },
    ]);
    const second = await runCli(['log', 'import', file], there);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain('not empty');
  }, 1_200_000); // starts engines of its own

  it('never takes a damaged file, and never writes over one unasked', async () => {
    const damaged = join(folder, 'damaged.ndjson');
    await writeFile(damaged, (await readFile(file, 'utf8')).replace('"offset":1,', '"offset":2,'));
    const refused = await runCli(['log', 'import', damaged], env);
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.stderr).toContain('damaged');
    expect(await runCli(['log', 'export', '--out', file], env)).toMatchObject({ code: 1 });
  });
});

describe('as a process', () => {
  it('prints one JSON line, also with a broker of several away, and says with its exit code what is missing or wrong', async () => {
    const replayed = await spawnCli(['replay', '--projection', 'orders'], env);
    expect(replayed).toMatchObject({ code: 0, stderr: '' });
    expect(jsonOf(replayed).projections).toMatchObject([{ stateHash: recorded.view.stateHash() }]);
    const oneIsAway = { ...env, KAFKA_BOOTSTRAP: `127.0.0.1:1,${engines.bootstrap}` };
    expect(await spawnCli(['replay', '--projection', 'orders'], oneIsAway)).toMatchObject({ code: 0 });
    const none = await spawnCli(['replay'], {});
    expect(none).toMatchObject({ code: 3 });
    expect(none.stderr).toContain('npm run dev');
    const silent = { KAFKA_BOOTSTRAP: '127.0.0.1:1', REGISTRY_URL: 'http://127.0.0.1:1' };
    expect(await spawnCli(['replay'], silent)).toMatchObject({ code: 3 });
    expect(await spawnCli(['replay', '--until', '7'], env)).toMatchObject({ code: 2 });
  });
});

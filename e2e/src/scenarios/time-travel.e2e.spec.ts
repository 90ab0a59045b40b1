import { OPS_ROWS_MAX, OpsProjections, OpsProjectionRows, Problem } from '@parley/contracts/rest';
import { eventTopics } from '@parley/contracts/topics';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ask, Customer } from '../client.ts';
import { runCommand, runLog, type CommandResult } from '../command.ts';
import { evidence } from '../ledger/evidence.ts';
import { readTopic, type AcceptedRecord } from '../log.ts';
import { readStack } from '../stack.ts';
import { waitFor } from '../wait.ts';

const stack = readStack();
const services = ['order', 'product', 'payment', 'notification', 'shipping'] as const;
const plenty = 'wool-door-stop';
/** How long is waited for what is to happen. */
const deadlineMs = 180_000;
let orderId: string;

const jsonIn = ({ exitCode, stdout, stderr }: CommandResult): unknown => {
  expect(exitCode, stderr).toBe(0);
  return JSON.parse(stdout);
};

beforeAll(async () => {
  const customer = await Customer.of(stack, 'time-travel');
  ({ orderId } = await customer.ordered({ productId: plenty, quantity: 1 }));
  await customer.status(orderId, 'SHIPPED', deadlineMs);
});

const Verified = z.object({
  records: z.int().positive(),
  projections: z.array(
    z.object({
      projection: z.string(),
      positions: z.array(z.int()),
      rows: z.int(),
      stateHash: z.string().regex(/^[0-9a-f]{64}$/),
      verification: z.object({ service: z.string(), equal: z.boolean(), serviceHash: z.string() }),
    }),
  ),
});

const projectionsAt = async (ops: string): Promise<OpsProjections['projections']> =>
  OpsProjections.parse((await ask(`${ops}/ops/projections`)).body).projections;

/** The counts of a projection and of the log, when they are the same; throws with both when they are not. */
const agree = async (
  ops: string,
  name: string,
  topic: string,
): Promise<{ readonly rows: number; readonly applied: number; readonly dropped: number }> => {
  const told = (await projectionsAt(ops)).find((projection) => projection.name === name);
  const log = await readTopic(stack, topic);
  const counts = {
    applied: told?.applied,
    dropped: (told?.conflicts ?? 0) + (told?.duplicates ?? 0),
    bad: told?.badRecords,
    failedFolds: told?.failedFolds,
    lag: told?.lag,
  };
  expect(counts).toEqual({
    applied: log.accepted.length,
    dropped: log.dropped,
    bad: 0,
    failedFolds: 0,
    lag: 0,
  });
  const page = await ask(`${ops}/ops/projections/${name}/rows`);
  const rows = told?.rows ?? 0;
  expect(OpsProjectionRows.parse(page.body).rows, name).toHaveLength(Math.min(rows, OPS_ROWS_MAX));
  return { rows, applied: log.accepted.length, dropped: log.dropped };
};

describe('the running stack', () => {
  it('serves what a replay of its log comes to, in every published read model (P-13)', async (context) => {
    const ran = await runCommand(stack, ['turbo', 'run', 'replay', '--', '--verify']);
    expect(ran.exitCode, ran.stdout + ran.stderr).toBe(0);
    const line = ran.stdout.split('\n').find((text) => text.includes('{"source"')) ?? '';
    const { records, projections } = Verified.parse(JSON.parse(line.slice(line.indexOf('{'))));
    expect(projections.map(({ verification }) => verification.service).toSorted()).toEqual(
      services.toSorted(),
    );
    for (const { projection, rows, stateHash, verification } of projections) {
      expect(verification, projection).toMatchObject({ equal: true, serviceHash: stateHash });
      expect(rows, projection).toBeGreaterThan(0);
    }
    evidence(context, ['P-13'], { records, projections });
  });

  it('tells on its operations ports as much as an independent reading of the log counts (P-15)', async (context) => {
    const counted: object[] = [];
    for (const service of services) {
      const { ops } = stack.endpoints[service];
      const projections = await projectionsAt(ops);
      expect(projections.length, service).toBeGreaterThan(0);
      for (const { name, topic } of projections) {
        // What still comes moves both; a wrong count stays wrong.
        const agreed = await waitFor(
          `${service} and the log to agree on ${name}`,
          () => agree(ops, name, topic),
          { deadlineMs },
        );
        counted.push({ service, name, topic, ...agreed });
      }
      const unknown = await ask(`${ops}/ops/projections/no-such-view/rebuild`, { method: 'POST' });
      expect([unknown.status, Problem.parse(unknown.body).code]).toEqual([404, 'ROUTE_NOT_FOUND']);
    }
    evidence(context, ['P-15'], { counted });
  });
});

const Listed = z.object({
  position: z.string(),
  type: z.string(),
  version: z.int(),
  verdict: z.string(),
  eventId: z.string(),
});
const Shown = z.array(
  z.object({
    eventId: z.string(),
    verdict: z.string(),
    schema: z.object({ name: z.string(), version: z.int() }),
  }),
);
const Story = z.object({
  orderId: z.string(),
  items: z.array(
    z.object({
      kind: z.string(),
      what: z.string(),
      service: z.string(),
      id: z.string(),
      causes: z.array(z.string()),
    }),
  ),
});
const State = z.object({
  version: z.int(),
  latest: z.int(),
  event: z.object({ type: z.string() }),
  rows: z.array(
    z.object({
      projection: z.string(),
      row: z.looseObject({ status: z.string() }),
      changed: z.array(z.looseObject({})),
    }),
  ),
});

/** What one order leads to in all topics, once all of it is there. */
const eventsOf = async (id: string): Promise<readonly AcceptedRecord[] | undefined> => {
  const contents = await Promise.all(eventTopics.map(({ name }) => readTopic(stack, name)));
  const all = contents.flatMap(({ accepted }) => accepted);
  const correlationId = all.find(({ streamId }) => streamId === `order-${id}`)?.correlationId;
  const ofIt = all.filter((record) => record.correlationId === correlationId);
  const types = ofIt.map(({ type }) => type);
  return types.includes('OrderShipped') && types.includes('StockCommitted') ? ofIt : undefined;
};

describe('the log of the running stack', () => {
  it('is listed, shown, told as the story of an order and rewound as an independent reading has it (P-16)', async (context) => {
    const stream = `order-${orderId}`;
    const ofIt = await waitFor('every event of the order', () => eventsOf(orderId), { deadlineMs });
    const ofOrder = ofIt.filter(({ streamId }) => streamId === stream);
    expect(ofOrder.map(({ type }) => type)).toEqual([
      'OrderCreated',
      'PaymentStarted',
      'OrderPaid',
      'OrderShipped',
    ]);
    const [created] = ofOrder;
    const [listed, shown, story, state] = await Promise.all([
      runLog(stack, 'list', 'order', '--stream', stream, '--json'),
      runLog(stack, 'show', created?.eventId ?? '', '--json'),
      runLog(stack, 'order', orderId, '--json'),
      runLog(stack, 'state', stream, '--at', '2', '--json'),
    ]);

    expect(listed.exitCode, listed.stderr).toBe(0);
    const lines = listed.stdout
      .trimEnd()
      .split('\n')
      .map((line) => Listed.parse(JSON.parse(line)));
    const positionOf = ({ topic, partition, offset }: AcceptedRecord): string =>
      `${topic}/${partition}@${offset}`;
    expect(
      lines.map(({ position, type, eventId, verdict }) => ({ position, type, eventId, verdict })),
    ).toEqual(
      ofOrder.map((record) => ({
        position: positionOf(record),
        type: record.type,
        eventId: record.eventId,
        verdict: 'accepted',
      })),
    );
    expect(lines.map(({ version }) => version)).toEqual([1, 2, 3, 4]);

    const copies = Shown.parse(jsonIn(shown));
    expect(copies).toMatchObject([
      { eventId: created?.eventId, verdict: 'accepted', schema: { name: 'parley.order.OrderCreated' } },
    ]);

    const { items } = Story.parse(jsonIn(story));
    const told = items.filter(({ kind }) => kind === 'event').map(({ what }) => what.split(' ')[0] ?? '');
    expect(told.toSorted()).toEqual(ofIt.map(({ type }) => type).toSorted());
    const at = new Map(items.map(({ id }, index) => [id, index]));
    for (const [index, { causes }] of items.entries())
      for (const cause of causes) expect(at.get(cause) ?? -1).toBeLessThan(index);

    const rewound = State.parse(jsonIn(state));
    expect(rewound).toMatchObject({ version: 2, latest: 4, event: { type: 'PaymentStarted' } });
    expect(rewound.rows).toMatchObject([{ projection: 'orders', row: { status: 'PAYMENT_PENDING' } }]);
    evidence(context, ['P-16'], {
      stream,
      records: lines.map(({ position, type }) => `${type} ${position}`),
      copies,
      story: {
        items: items.length,
        events: told.length,
        services: [...new Set(items.map(({ service }) => service))],
      },
      atVersion2: { status: rewound.rows[0]?.row.status, fieldsChanged: rewound.rows[0]?.changed.length },
    });
  });
});

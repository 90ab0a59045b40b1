import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { counted, countedTopic, counterOf } from '../../testing/index.ts';
import { createMemoryBroker, openMemoryLog } from '../memory/open.ts';
import { LogEnds } from './log-ends.ts';
import { projectionRoutes } from './ops-routes.ts';
import { ProjectionMonitor } from './projection-status.ts';

const topic = countedTopic('status');
const sums = {
  name: 'sums',
  topic,
  fold: (
    row: { readonly sum: bigint; readonly gone?: undefined } | undefined,
    event: { event: { data: { by: number } } },
  ) => ({
    sum: (row?.sum ?? 0n) + BigInt(event.event.data.by),
    gone: undefined,
  }),
};

const opened = async () => {
  const broker = createMemoryBroker();
  const log = openMemoryLog({ broker });
  const counters = log.aggregate(counterOf(topic));
  const view = log.project(sums);
  await log.start();
  const add = (streamId: string) =>
    counters.execute({
      streamId,
      commandId: randomUUID(),
      decide: () => ({ kind: 'events', events: [counted(1)] }),
      metadata: { correlationId: 'test' },
    });
  return { broker, log, view, add };
};

const routeOf = (log: Parameters<typeof projectionRoutes>[0], path: string) => {
  const route = projectionRoutes(log).find((candidate) => candidate.path === path);
  if (route === undefined) throw new Error(`no route ${path}`);
  return (params: Record<string, string> = {}, query: Record<string, string> = {}) =>
    route.answer({ params, query });
};

it('a projection tells its positions, ends, counts and hash of one instant', async () => {
  const { broker, log, view, add } = await opened();
  for (const stream of ['a', 'b', 'a']) await add(stream);
  const offset = broker.appendRaw(topic.name, 0, { key: null, value: null, headers: {} });
  await log.waitFor({ topic: topic.name, partition: 0, offset }, { deadlineMs: 1000 });
  const answer = await routeOf(log, '/ops/projections')();
  const { nextOffsets } = view.progress();
  expect(answer).toEqual({
    kind: 'ok',
    body: {
      projections: [
        {
          name: 'sums',
          topic: topic.name,
          positions: nextOffsets,
          ends: nextOffsets,
          lag: 0,
          stateHash: view.stateHash(),
          rows: 2,
          applied: 3,
          conflicts: 0,
          duplicates: 0,
          badRecords: 1,
          skippedTypes: 0,
          failedFolds: 0,
          rebuilding: false,
        },
      ],
    },
  });
  await log.close();
});

it('the hash follows what is folded', async () => {
  const { log, view, add } = await opened();
  await add('a');
  const hashOf = async () => (await log.projections())[0]?.stateHash;
  const before = await hashOf();
  expect(await hashOf()).toBe(before);
  await add('a');
  expect(await hashOf()).toBe(view.stateHash());
  expect(await hashOf()).not.toBe(before);
  await log.close();
});

it('rows come in key order, page by page, as their canonical JSON', async () => {
  const { log, add } = await opened();
  for (const stream of ['c', 'a', 'b']) await add(stream);
  const rows = routeOf(log, '/ops/projections/:name/rows');
  const first = await rows({ name: 'sums' }, { limit: '2' });
  expect(first).toMatchObject({
    kind: 'ok',
    body: {
      rows: [
        { key: 'a', row: { sum: '1n' } },
        { key: 'b', row: { sum: '1n' } },
      ],
      nextAfter: 'b',
    },
  });
  const last = await rows({ name: 'sums' }, { limit: '2', after: 'b' });
  expect(last).toMatchObject({ kind: 'ok', body: { rows: [{ key: 'c' }], nextAfter: undefined } });
  await log.close();
});

it('another name is not found, and no page is larger than its maximum', async () => {
  const { log } = await opened();
  const rows = routeOf(log, '/ops/projections/:name/rows');
  expect(await rows({ name: 'other' })).toMatchObject({ kind: 'not-found' });
  for (const limit of ['0', '1001', 'x', '1.5', '', '1e1', '0x10', ' 10', '+10', '010', '10.0'])
    expect(await rows({ name: 'sums' }, { limit })).toMatchObject({ kind: 'invalid' });
  await log.close();
});

it('while the log does not answer, one question is under way however many ask, and the ends last known are told', async () => {
  const { log, view, add } = await opened();
  await add('a');
  let questions = 0;
  const ends = new LogEnds(() => {
    questions++;
    return new Promise(() => undefined);
  }, Date.now);
  const monitor = new ProjectionMonitor(ends, { rebuilding: () => undefined, waitingFor: () => undefined });
  monitor.add(view as unknown as Parameters<ProjectionMonitor['add']>[0]);
  const answers = await Promise.all([monitor.statuses(), monitor.statuses(), monitor.statuses()]);
  expect(questions).toBe(1);
  for (const [status] of answers) expect(status).toMatchObject({ lag: 0, ends: view.progress().nextOffsets });
  await log.close();
});

it('a rebuild is told while it runs, refused twice, and answered with what it found', async () => {
  const { log, view, add } = await opened();
  for (const stream of ['a', 'b', 'a']) await add(stream);
  const rebuild = routeOf(log, '/ops/projections/:name/rebuild');
  const first = rebuild({ name: 'sums' });
  expect(await rebuild({ name: 'sums' })).toMatchObject({ kind: 'conflict' });
  expect(await first).toMatchObject({
    kind: 'ok',
    body: { name: 'sums', events: 3, rows: 2, differed: false, positions: view.progress().nextOffsets },
  });
  expect(await rebuild({ name: 'other' })).toMatchObject({ kind: 'not-found' });
  const again = rebuild({ name: 'sums' });
  expect((await log.projections())[0]).toMatchObject({
    rebuilding: true,
    rebuild: { live: view.progress().nextOffsets },
  });
  await again;
  expect((await log.projections())[0]).toMatchObject({ rebuilding: false, rebuild: undefined });
  await log.close();
  expect(await rebuild({ name: 'sums' })).toMatchObject({ kind: 'not-ready' });
});

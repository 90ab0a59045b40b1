import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeadLetter } from '@parley/contracts/rest';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { exitCodes } from '../cli/exit.ts';
import { LetterClient } from '../dlq/client.ts';
import { endpointsOf } from '../stack/addresses.ts';
import { writeEndpoints } from '../stack/endpoints-file.ts';
import { acquireLock } from '../stack/lock.ts';
import { dlqCommand } from './dlq.ts';

const open: DeadLetter = {
  id: 'group:0-2',
  broker: 'kafka',
  source: 'topic',
  consumer: 'group',
  position: '0@2',
  subject: 's',
  type: 'PaymentCompleted',
  correlationId: 'c',
  reason: 'attempts-exhausted',
  message: 'no address',
  attempts: 5,
  redrives: 0,
  state: 'open',
};
const settled: DeadLetter = { ...open, id: 'group:0-1', state: 'redriven', note: 'mended' };
const queued: DeadLetter = { ...open, id: 'queue:1', broker: 'rabbitmq' };
const detail = { ...open, errorClass: 'Error', headers: [], key: null, value: null };

/** What was asked of a service: its name, path and query, and body. */
type Asked = readonly [service: string, path: string, body: unknown];

let runDir: string;
let asked: Asked[];
/** Of what is not the list. */
let answerTo: (...asked: Asked) => Response;
const lines = (...of: readonly object[]): Response =>
  new Response(of.map((line) => `${JSON.stringify(line)}\n`).join(''));

beforeEach(async () => {
  runDir = await mkdtemp(join(tmpdir(), 'parley-dlq-'));
  await acquireLock(runDir, 4000);
  const endpoints = endpointsOf({ portBase: 4000 });
  await writeEndpoints(runDir, endpoints);
  vi.stubEnv('PARLEY_RUN_DIR', runDir);
  asked = [];
  answerTo = () => lines({ left: 0 });
  // Notification has two letters, shipping has one, and nobody else has any.
  const lists: Readonly<Record<string, readonly DeadLetter[]>> = {
    [endpoints.notification.ops]: [settled, open],
    [endpoints.shipping.ops]: [queued],
  };
  vi.spyOn(globalThis, 'fetch').mockImplementation((input, { method = 'GET', body } = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const letters = lists[url.origin];
    if (letters === undefined) return Promise.resolve(new Response(null, { status: 404 }));
    if (method === 'GET' && url.pathname === '/ops/dead-letters') {
      const isAll = url.searchParams.get('settled') !== 'false';
      return Promise.resolve(
        Response.json({ letters: letters.filter(({ state }) => isAll || state === 'open') }),
      );
    }
    const of: Asked = [
      url.origin === endpoints.shipping.ops ? 'shipping' : 'notification',
      `${url.pathname}${url.search}`.slice('/ops/dead-letters'.length),
      typeof body === 'string' ? (JSON.parse(body) as unknown) : undefined,
    ];
    asked.push(of);
    return Promise.resolve(answerTo(...of));
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await rm(runDir, { recursive: true });
});

let stdout: string;
/** What a command prints, and its exit code. */
const dlq = async (...argv: string[]): Promise<{ code: number; stdout: string }> => {
  stdout = '';
  const print = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
  try {
    return { code: await dlqCommand.run({}, argv), stdout };
  } finally {
    print.mockRestore();
  }
};

it.each([[['redrive']], [['discard', '--why', 'a test']]])(
  '%j of a letter that is settled already answers --json in JSON, and orders nothing',
  async (order) => {
    const { code, stdout } = await dlq(...order, settled.id, '--json');
    expect(code).toBe(exitCodes.ok);
    expect(JSON.parse(stdout)).toEqual({
      results: [{ id: settled.id, result: 'gone', why: 'it is redriven already: mended' }],
      left: 0,
    });
    expect(asked).toEqual([]);
  },
);

it('an order of many says so when no letter waits for it', async () => {
  answerTo = () => lines({ left: 0 });
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const { code } = await dlq('redrive', '--all');
  expect(code).toBe(exitCodes.ok);
  expect(said.mock.calls.join('')).toContain('no dead letter waits to be redriven');
});

it('an order of many goes from service to service, with what is left of its maximum', async () => {
  answerTo = (service) =>
    service === 'shipping'
      ? lines({ id: queued.id, result: 'refused', why: 'redriven 20 times' }, { left: 3 })
      : lines({ id: open.id, result: 'done' }, { left: 1 });
  const filters = ['--reason', 'exhausted', '--rate', '5', '--max', '2'];
  const { code, stdout } = await dlq('redrive', '--all', ...filters, '--json');
  expect(code).toBe(exitCodes.failed);
  expect(JSON.parse(stdout)).toEqual({
    results: [
      { id: open.id, result: 'done' },
      { id: queued.id, result: 'refused', why: 'redriven 20 times' },
    ],
    left: 4,
  });
  const body = {
    why: 'npm run dlq -- redrive',
    filter: { reason: 'exhausted' },
    ratePerSecond: 5,
    dryRun: false,
  };
  expect(asked).toEqual([
    ['notification', '/redrive', { ...body, max: 2 }],
    ['shipping', '/redrive', { ...body, max: 1 }],
  ]);
});

it.each([
  ['is cut', [{ id: open.id, result: 'done' }]],
  [
    'is stopped by its service',
    [
      { id: open.id, result: 'done' },
      { left: 1, stopped: 'the service is stopping' },
    ],
  ],
])('an order of many that %s is no success, and nothing more is ordered', async (_what, answered) => {
  answerTo = () => lines(...answered);
  await expect(dlq('discard', '--all', '--why', 'a test', '--json')).rejects.toMatchObject({
    exitCode: exitCodes.environment,
    message: expect.stringContaining('try again') as string,
  });
  expect(asked).toHaveLength(1);
  expect(JSON.parse(stdout)).toEqual({
    results: [{ id: open.id, result: 'done' }],
    failed: expect.stringContaining('notification') as string,
  });
});

it('an order of many that a service refuses fails with its reason', async () => {
  answerTo = () => Response.json({ detail: 'why: must say something' }, { status: 400 });
  await expect(dlq('redrive', '--all')).rejects.toMatchObject({
    exitCode: exitCodes.failed,
    message: expect.stringContaining('must say something') as string,
  });
});

const busy = (): Response => Response.json({ detail: 'another order of many letters' }, { status: 409 });

it('an order of many waits for the letter at hand of the one before it', async () => {
  answerTo = (service) => (asked.length < 3 ? busy() : lines({ id: service, result: 'done' }, { left: 0 }));
  const { code } = await dlq('redrive', '--all', '--json');
  expect(code).toBe(exitCodes.ok);
  expect(JSON.parse(stdout)).toEqual({
    results: [
      { id: 'notification', result: 'done' },
      { id: 'shipping', result: 'done' },
    ],
    left: 0,
  });
});

it('an order of many that meets another one for too long may be tried again', async () => {
  answerTo = busy;
  const client = new LetterClient(endpointsOf({ portBase: 4000 }), { busyMsMax: 0 });
  await expect(client.orderMany('redrive', 'shipping', { why: 'x' }).next()).rejects.toMatchObject({
    exitCode: exitCodes.environment,
    message: expect.stringMatching(/another order of many letters.*try again/) as string,
  });
});

it('an order of many that has its maximum is complete, whatever the services after that answer', async () => {
  answerTo = (service) =>
    service === 'shipping'
      ? new Response(null, { status: 500 })
      : lines({ id: open.id, result: 'done' }, { left: 1 });
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const { code } = await dlq('redrive', '--all', '--max', '1', '--json');
  expect(code).toBe(exitCodes.ok);
  expect(JSON.parse(stdout)).toEqual({ results: [{ id: open.id, result: 'done' }], left: 1 });
  expect(said.mock.calls.join('')).toContain('how many are left at shipping is not known');
  expect(asked.map(([service]) => service)).toEqual(['notification', 'shipping']);
});

it.each([
  [[], [open.id, queued.id], 0],
  [['--max', '1'], [open.id], 1],
  [[open.id], [open.id], 0],
])('an export into a file (%j) answers --json with how many letters it has', async (argv, ids, left) => {
  answerTo = (service, path) =>
    path.startsWith('/export')
      ? lines({ ...detail, id: service === 'shipping' ? queued.id : open.id })
      : Response.json(detail);
  const out = join(runDir, 'letters.ndjson');
  const { code, stdout } = await dlq('export', ...argv, '--out', out, '--json');
  expect(code).toBe(exitCodes.ok);
  expect(JSON.parse(stdout)).toEqual({ exported: ids.length, left });
  const written = (await readFile(out, 'utf8')).trim().split('\n');
  expect(written.map((line) => JSON.parse(line) as unknown)).toMatchObject(
    ids.map((id) => ({ service: id === queued.id ? 'shipping' : 'notification', id })),
  );
});

it('an export that is cut leaves an earlier one as it is', async () => {
  answerTo = (service, path) => {
    if (path.startsWith('/export') && service === 'shipping') return new Response(null, { status: 500 });
    return lines({ ...detail, id: open.id });
  };
  const out = join(runDir, 'letters.ndjson');
  await writeFile(out, 'earlier');
  await expect(dlq('export', '--out', out)).rejects.toMatchObject({ exitCode: exitCodes.environment });
  expect(await readFile(out, 'utf8')).toBe('earlier');
  expect(await readdir(runDir)).not.toContain('letters.ndjson.partial');
});

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeadLetter } from '@parley/contracts/rest';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { exitCodes } from '../cli/exit.ts';
import { endpointsOf } from '../stack/addresses.ts';
import { writeEndpoints } from '../stack/endpoints-file.ts';
import { acquireLock } from '../stack/lock.ts';
import { dlqCommand } from './dlq.ts';

const settled: DeadLetter = {
  id: 'group:0-1',
  broker: 'kafka',
  source: 'topic',
  consumer: 'group',
  position: '0@1',
  subject: 's',
  type: 'PaymentCompleted',
  correlationId: 'c',
  reason: 'attempts-exhausted',
  message: 'no address',
  attempts: 5,
  redrives: 0,
  state: 'redriven',
  note: 'mended',
};
const open: DeadLetter = { ...settled, id: 'group:0-2', state: 'open' };

let runDir: string;
let posted: number;
beforeEach(async () => {
  runDir = await mkdtemp(join(tmpdir(), 'parley-dlq-'));
  await acquireLock(runDir, 4000);
  const endpoints = endpointsOf({ portBase: 4000 });
  await writeEndpoints(runDir, endpoints);
  vi.stubEnv('PARLEY_RUN_DIR', runDir);
  posted = 0;
  // Notification has both letters, and nobody else has any.
  vi.spyOn(globalThis, 'fetch').mockImplementation((input, { method = 'GET' } = {}) => {
    if (method === 'POST') posted += 1;
    const url = input instanceof Request ? input.url : String(input);
    if (!url.startsWith(`${endpoints.notification.ops}/`))
      return Promise.resolve(new Response(null, { status: 404 }));
    const body = url.endsWith('/ops/dead-letters')
      ? { letters: [settled, open] }
      : { ...open, errorClass: 'Error', headers: [], key: null, value: null };
    return Promise.resolve(Response.json(body));
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await rm(runDir, { recursive: true });
});

/** What a command prints, and its exit code. */
const dlq = async (...argv: string[]): Promise<{ code: number; stdout: string }> => {
  let stdout = '';
  const print = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
  const code = await dlqCommand.run({}, argv);
  print.mockRestore();
  return { code, stdout };
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
    expect(posted).toBe(0);
  },
);

it('an export into a file answers --json with how many letters it has', async () => {
  const out = join(runDir, 'letters.ndjson');
  const { code, stdout } = await dlq('export', '--out', out, '--json');
  expect(code).toBe(exitCodes.ok);
  expect(JSON.parse(stdout)).toEqual({ exported: 1, left: 0 });
  expect(JSON.parse(await readFile(out, 'utf8'))).toMatchObject({ service: 'notification', id: open.id });
});

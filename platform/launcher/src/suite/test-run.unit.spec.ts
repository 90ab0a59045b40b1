import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { processesBelow, stackMark } from '@parley/engines/procfs';
import { waitUntil } from '@parley/engines/wait';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { exitCodes } from '../cli/exit.ts';
import { beginTestRun, removeAbandonedRuns } from './test-run.ts';

/** Above what the kernel gives, so no process ever has it. */
const deadPid = 2 ** 22 + 1;

let folder: string;
let started: ChildProcess[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-test-run-'));
  started = [];
  vi.stubEnv('TMPDIR', folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  for (const child of started) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** A process in a session of its own, as engines are, with nothing but these variables. */
const startIn = (variable: string, path: string): ChildProcess => {
  const stay = ['-e', 'setInterval(() => 0, 1000)'];
  const child = spawn(process.execPath, stay, { env: { [variable]: path }, detached: true, stdio: 'ignore' });
  started.push(child);
  return child;
};

it('the end of a run ends what works in its folders, however it was started, and nothing else', async () => {
  const run = await beginTestRun();
  const engine = startIn(stackMark, join(run.tmpDir, 'parley-engines-1'));
  const tool = startIn('TMPDIR', run.tmpDir);
  const stranger = startIn('TMPDIR', `${dirname(run.tmpDir)}-of-another`);
  const reader = startIn('PWD', run.tmpDir);
  expect(await waitUntil(() => processesBelow(run.tmpDir).length === 2, { deadlineMs: 5000 })).toBe(true);
  const ends = Promise.all([once(engine, 'exit'), once(tool, 'exit')]);
  await run.end();
  await ends;
  expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
  expect(reader.exitCode ?? reader.signalCode).toBeNull();
  expect(readdirSync(folder)).toEqual([]);
});

it('what killed runs left is ended and removed, and a run that goes on is left alone', async () => {
  const clone = join(folder, 'clone');
  const runDir = join(clone, `.parley-test-${deadPid}-7`);
  const killed = join(folder, `parley-test-${deadPid}-7-aBcDeF`);
  const users = join(clone, '.parley-test-data');
  for (const path of [runDir, killed, users]) mkdirSync(path, { recursive: true });
  const engine = startIn(stackMark, join(killed, 'tmp', 'parley-engines-1'));
  const service = startIn(stackMark, runDir);
  const living = await beginTestRun();
  const ours = startIn('TMPDIR', living.tmpDir);
  const all = () => [killed, runDir, living.tmpDir].flatMap((path) => processesBelow(path));
  expect(await waitUntil(() => all().length === 3, { deadlineMs: 5000 })).toBe(true);
  const ends = Promise.all([once(engine, 'exit'), once(service, 'exit')]);
  expect(await removeAbandonedRuns({ system: folder, clone })).toBe(2);
  await ends;
  expect([runDir, killed].filter((path) => existsSync(path))).toEqual([]);
  expect(existsSync(living.tmpDir) && existsSync(users)).toBe(true);
  expect(ours.exitCode ?? ours.signalCode).toBeNull();
  await living.end();
});

it('a temporary folder that is not there is said at the start of a run, and hides nothing to clean', async () => {
  vi.stubEnv('TMPDIR', join(folder, 'nowhere'));
  await expect(beginTestRun()).rejects.toMatchObject({
    exitCode: exitCodes.environment,
    message: expect.stringContaining('TMPDIR=') as string,
  });
  expect(await removeAbandonedRuns({ system: join(folder, 'nowhere'), clone: folder })).toBe(0);
});

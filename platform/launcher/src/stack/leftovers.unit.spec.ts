import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { endLeftovers } from './leftovers.ts';
import { stackMark } from '@parley/engines/procfs';
import { supervisedPids } from './supervised.ts';
import { waitUntil } from '@parley/engines/wait';

it('every process with the mark of the run folder is ended, a deaf one too, and no other', async () => {
  const runDir = `/nowhere/leftovers-${process.pid}`;
  const start = (mark: string, script: string) =>
    spawn(process.execPath, ['-e', script], { env: { ...process.env, [stackMark]: mark }, stdio: 'ignore' });
  const stay = 'setInterval(() => 0, 1000)';
  const polite = start(runDir, stay);
  const deaf = start(runDir, `process.on('SIGTERM', () => 0); ${stay}`);
  const stranger = start(`${runDir}-of-another`, stay);
  await waitUntil(() => supervisedPids(runDir).length === 2, { deadlineMs: 3000, intervalMs: 20 });
  const ends = Promise.all([once(polite, 'exit'), once(deaf, 'exit')]);
  expect(await endLeftovers(runDir, 500)).toBeGreaterThanOrEqual(2);
  await ends;
  expect(supervisedPids(runDir)).toEqual([]);
  expect(stranger.exitCode).toBeNull();
  stranger.kill('SIGKILL');
});

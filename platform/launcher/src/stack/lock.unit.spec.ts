import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exitCodes } from '../cli/exit.ts';
import { runFiles } from './context.ts';
import { acquireLock, holderOf } from './lock.ts';

describe('the lock of a run folder', () => {
  let runDir: string;
  beforeEach(async () => {
    runDir = await mkdtemp(join(tmpdir(), 'parley-lock-'));
  });
  afterEach(() => rm(runDir, { recursive: true, force: true }));

  it('lets one launcher in, names it to the next, and is free after its release', async () => {
    const release = await acquireLock(runDir, 4000);
    await expect(holderOf(runDir)).resolves.toMatchObject({ pid: process.pid, portBase: 4000 });
    await expect(acquireLock(runDir, 4000)).rejects.toMatchObject({
      exitCode: exitCodes.environment,
      message: expect.stringContaining(`pid ${process.pid}`) as string,
    });
    await release();
    await expect(holderOf(runDir)).resolves.toBeUndefined();
  });

  it('is not held by a launcher that was killed, even when its pid was given to another process', async () => {
    await writeFile(
      runFiles(runDir).lock,
      JSON.stringify({ pid: process.pid, startTicks: 1, portBase: 4000 }),
    );
    await expect(holderOf(runDir)).resolves.toBeUndefined();
    const release = await acquireLock(runDir, 4000);
    await release();
  });
});

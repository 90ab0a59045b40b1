import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Supervisor, type ProcessSpec } from './supervisor.ts';
import { waitUntil } from '@parley/engines/wait';

describe('a supervised process', () => {
  let folder: string;
  let said: string[];
  let pids: number[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-supervisor-'));
    said = [];
    pids = [];
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const say = (line: string): void => void said.push(line);
  const spec = (script: string): ProcessSpec => ({
    name: 'thing',
    command: process.execPath,
    args: ['-e', script],
    cwd: folder,
    env: process.env,
    logPath: join(folder, 'logs', 'thing.log'),
    stopDeadlineMs: 2000,
    output: { line: say, good: say, bad: say, dim: say },
    isReady: () => Promise.resolve(true),
    started: (pid) => pids.push(pid),
  });
  const starts = (count: number) =>
    waitUntil(() => pids.length >= count, { deadlineMs: 8000, intervalMs: 20 });
  const stay = 'setInterval(() => 0, 1000)';

  it('that dies is said by name with its last lines, and started again', async () => {
    const supervisor = new Supervisor(spec('console.error("out of luck"); process.exit(7)'));
    const run = supervisor.run();
    expect(await starts(2)).toBe(true);
    await supervisor.stop();
    await run;
    expect(said[0]).toContain('thing ended with code 7; starting again in 0.25 s');
    expect(said.slice(1, 4).join()).toContain('out of luck');
  });

  it('is gone when stop resolves, and not started again', async () => {
    const supervisor = new Supervisor(spec(stay));
    const run = supervisor.run();
    await starts(1);
    await supervisor.stop();
    await run;
    expect(() => process.kill(pids[0] ?? 0, 0)).toThrow();
    expect(pids).toHaveLength(1);
  });

  it('that is reloaded runs anew without being called dead', async () => {
    const supervisor = new Supervisor(spec(stay));
    const run = supervisor.run();
    await starts(1);
    supervisor.reload();
    expect(await starts(2)).toBe(true);
    expect(await waitUntil(() => said.length > 0, { deadlineMs: 3000, intervalMs: 20 })).toBe(true);
    await supervisor.stop();
    await run;
    expect(said).toEqual(['thing is ready with the change']);
  });
});

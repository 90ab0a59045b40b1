import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitUntil } from '@parley/engines/wait';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { exitCodes } from '../cli/exit.ts';
import { endpointsOf } from './addresses.ts';
import { runFiles } from './context.ts';
import { endpointsText } from './endpoints-file.ts';
import { acquireLock } from './lock.ts';
import { lookEveryMs, watchRunFolder, type WatchedRunFolder } from './run-folder.ts';

const deadlineMs = 5000;
const endpoints = endpointsOf({ portBase: 4000 });

let runDir: string;
let release: () => Promise<void>;
let watched: WatchedRunFolder;
let said: string[];
beforeEach(async () => {
  runDir = mkdtempSync(join(tmpdir(), 'parley-run-folder-'));
  release = await acquireLock(runDir, 4000);
  said = [];
  const say = (line: string): void => void said.push(line);
  watched = watchRunFolder(runDir, { line: say, good: say, bad: say, dim: say });
});
afterEach(() => {
  watched.end();
  rmSync(runDir, { recursive: true, force: true });
});

it.each([
  [
    'removed',
    (path: string) => {
      rmSync(path);
    },
  ],
  [
    'overwritten',
    (path: string) => {
      writeFileSync(path, 'garbage');
    },
  ],
])(
  'endpoints.json that is %s while the stack runs is written again, and that is said',
  async (_what, harm) => {
    await watched.publish(endpoints);
    const { endpoints: path } = runFiles(runDir);
    harm(path);
    const isBack = () => existsSync(path) && readFileSync(path, 'utf8') === endpointsText(endpoints);
    expect(await waitUntil(() => isBack() && said.length > 0, { deadlineMs })).toBe(true);
    expect(said).toEqual([`${path} was changed or removed; written again`]);
    expect(watched.lost.aborted).toBe(false);
  },
);

it('endpoints.json that is withdrawn stays away, also when somebody is just looking for it', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const say = (line: string): void => void said.push(line);
  const own = watchRunFolder(runDir, { line: say, good: say, bad: say, dim: say });
  const look = () => vi.advanceTimersByTime(lookEveryMs); // `withdraw` waits for it
  try {
    await own.publish(endpoints);
    const { endpoints: path } = runFiles(runDir);
    rmSync(path);
    look();
    await own.withdraw();
    expect(existsSync(path)).toBe(false);
    look();
    await own.withdraw();
    expect(said).toEqual([]);
  } finally {
    own.end();
    vi.useRealTimers();
  }
});

it('a run folder that is removed is lost, and what was released is not the lock of another launcher', async () => {
  rmSync(runDir, { recursive: true });
  expect(await waitUntil(() => watched.lost.aborted, { deadlineMs })).toBe(true);
  expect(watched.lost.reason).toMatchObject({ exitCode: exitCodes.environment });
  await acquireLock(runDir, 5000); // as another one would; it is of this process, so its owner is changed
  const { lock } = runFiles(runDir);
  writeFileSync(lock, readFileSync(lock, 'utf8').replace(String(process.pid), '1'));
  await release();
  expect(existsSync(lock)).toBe(true);
});

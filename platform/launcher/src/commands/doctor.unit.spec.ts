import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Check } from '../stack/engine-host.ts';
import { acquireLock } from '../stack/lock.ts';
import { doctorCommandOn } from './doctor.ts';

let runDir: string;
let printed: string;
beforeEach(async () => {
  runDir = await mkdtemp(join(tmpdir(), 'parley-doctor-'));
  vi.stubEnv('PARLEY_RUN_DIR', runDir);
  printed = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await rm(runDir, { recursive: true, force: true });
});

const check = (ok: boolean): Check => ({
  name: 'kafka',
  ok,
  version: '4.3.1',
  detail: undefined,
  mend: ok ? undefined : 'npm run obtain',
});
const doctorOf = (ok: boolean, ...more: Check[]) =>
  doctorCommandOn({ doctor: () => Promise.resolve([check(ok), ...more]) }).run({}, []);

it('a stack that runs is shown with its own port base, whatever base is asked for', async () => {
  vi.stubEnv('PARLEY_PORT_BASE', '5000');
  const release = await acquireLock(runDir, 12_000);
  expect(await doctorOf(true)).toBe(0);
  expect(printed).toMatch(/ports +12000\+ +a stack of this clone runs/);
  await release();
});

it('what is missing comes with the command that mends it and exit code 3', async () => {
  const release = await acquireLock(runDir, 12_000);
  expect(await doctorOf(false)).toBe(3);
  expect(printed).toContain('    npm run obtain\n');
  expect(printed).toContain('npm run dev installs and obtains what is missing');
  await release();
});

it('what only one capability needs is marked so, comes with its command, and is no failure', async () => {
  const release = await acquireLock(runDir, 12_000);
  const mend = 'apt-get install chromium';
  const chromium = { name: 'chromium', ok: false, version: undefined, detail: undefined, mend };
  expect(await doctorOf(true, { ...chromium, optionalFor: 'pictures' })).toBe(0);
  expect(printed).toMatch(/– chromium +optional, for pictures\n {4}apt-get install chromium\n/);
  expect(printed).toContain('all that a stack needs is there');
  await release();
});

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { makeAotCache } from './aot-cache.ts';
import { cached } from './artifacts/cache.ts';
import { doctor } from './doctor.ts';
import { kafka } from './engines/kafka.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-doctor-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const kafkaIn = async (cache: string) => {
  vi.stubEnv('PARLEY_CACHE_DIR', cache);
  return (await doctor()).find(({ name }) => name === 'kafka');
};

it('a cache that cannot be read is not called empty', { timeout: 60_000 }, async () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  expect(await kafkaIn(file)).toMatchObject({
    ok: false,
    detail: expect.stringContaining(`ENOTDIR`) as string,
    fix: expect.stringContaining('PARLEY_CACHE_DIR') as string,
  });
  expect(await kafkaIn(join(folder, 'not-there-yet'))).toMatchObject({
    ok: false,
    detail: 'not obtained yet',
    fix: 'npm run obtain',
  });
});

it('an engine that starts slowly is there, with the file that says why', { timeout: 60_000 }, async () => {
  const { java, cacheEntry = '', version } = kafka;
  if (java === undefined) throw new Error('Kafka runs on Java');
  vi.stubEnv('PARLEY_CACHE_DIR', folder);
  await cached({ root: folder, name: cacheEntry, build: () => Promise.resolve() });
  expect(await kafkaIn(folder)).toEqual({ name: 'kafka', ok: true, version });
  await makeAotCache(java, {}, () => Promise.reject(new Error('java ended with 1:\nof this cause')));
  const { ok, detail = '' } = (await kafkaIn(folder)) ?? {};
  expect(ok).toBe(true);
  const path = /^starts slowly, for the reason in (.+); npm run obtain tries again$/.exec(detail)?.[1] ?? '';
  expect(readFileSync(path, 'utf8')).toContain('of this cause');
  const shown = spawnSync(process.execPath, [join(import.meta.dirname, 'cli.ts'), 'doctor'], {
    encoding: 'utf8',
  });
  expect(shown.stdout).toContain(`✓ kafka ${version}  ${detail}\n`);
});

it('what only single capabilities need is listed and marked with them', { timeout: 60_000 }, async () => {
  vi.stubEnv('PARLEY_CACHE_DIR', folder);
  const uses = new Map((await doctor()).map(({ name, optionalFor }) => [name, optionalFor]));
  expect(uses.get('kafka')).toBeUndefined();
  expect(uses.get('chromium')).toBe("the console's tests and pictures");
  for (const name of ['etcd', 'iptables', 'iproute2', 'tcpdump', 'istio, kubernetes'])
    expect(uses.get(name), name).toBe('the mesh');
});

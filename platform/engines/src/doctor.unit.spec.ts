import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { doctor } from './doctor.ts';

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

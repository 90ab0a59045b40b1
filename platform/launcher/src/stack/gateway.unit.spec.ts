import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { rootDir } from './context.ts';
import { writeEnvoyConfig } from './gateway.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-gateway-policy-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

it('the file of PARLEY_GATEWAY_POLICY is relative to the folder in which the command was typed', async () => {
  writeFileSync(join(folder, 'mine.json'), JSON.stringify({ limits: { client: { requests: 4711 } } }));
  vi.stubEnv('npm_config_local_prefix', process.cwd());
  vi.stubEnv('INIT_CWD', folder);
  vi.stubEnv('PARLEY_GATEWAY_POLICY', 'mine.json');
  const runDir = join(folder, 'run');
  await writeEnvoyConfig({ root: rootDir, runDir, portBase: 4000 });
  const written = join(runDir, 'gateway', 'policy');
  const texts = readdirSync(written).map((name) => readFileSync(join(written, name), 'utf8'));
  expect(texts.join('\n')).toContain('4711');
});

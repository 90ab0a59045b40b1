import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { labPolicy } from '@parley/mesh';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { policyFrom } from './mesh.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-mesh-policy-'));
  vi.stubEnv('npm_config_local_prefix', process.cwd());
  vi.stubEnv('INIT_CWD', folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

it('the policy of mesh:apply and mesh:diff is read relative to the folder in which the command was typed', () => {
  writeFileSync(join(folder, 'mine.json'), JSON.stringify(labPolicy));
  expect(policyFrom({ policy: 'mine.json' })).toEqual(labPolicy);
});

it('a file that is not there is refused with the path that was looked at', () => {
  expect(() => policyFrom({ policy: 'none.json' })).toThrow(join(folder, 'none.json'));
});

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { exitCodes } from './cli/exit.ts';
import { rootDir } from './stack/context.ts';

const Plan = z.object({ tasks: z.array(z.looseObject({ taskId: z.string(), command: z.string() })) });

it('turbo run dev runs what npm run dev runs, and nothing that waits for engines that nobody starts', () => {
  const turbo = join(rootDir, 'node_modules/.bin/turbo');
  const args = ['run', 'dev', '--dry=json'];
  const { stdout } = spawnSync(turbo, args, { cwd: rootDir, encoding: 'utf8', timeout: 25_000 });
  const { tasks } = Plan.parse(JSON.parse(stdout));
  expect(tasks).toMatchObject([{ taskId: '//#dev', command: 'exec node bootstrap.mjs dev' }]);
});

it('a service that is started without a stack ends with exit code 3 and says what to type', () => {
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(import.meta.dirname, 'run-service.ts'), 'order'],
    {
      env: { ...process.env, PARLEY_RUN_DIR: '/nowhere/no-stack' },
      encoding: 'utf8',
      timeout: 25_000,
    },
  );
  expect(status).toBe(exitCodes.environment);
  expect(stderr).toContain('no stack runs from /nowhere/no-stack');
  expect(stderr).toContain('npm run dev');
});

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { plant, repositoryDir } from '../testing/planted.ts';
import type { Report } from './report.ts';

const COMMAND_DEADLINE_MS = 590_000; // less than a test has

describe('the command', () => {
  const main = join(repositoryDir, 'platform/compat/src/main.ts');
  const run = (...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      execFile(
        process.execPath,
        [main, ...args],
        { timeout: COMMAND_DEADLINE_MS },
        (error, stdout, stderr) => {
          resolve({
            code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1,
            stdout,
            stderr,
          });
        },
      );
    });

  it('exits 1 on a break, and says it as one JSON object', async () => {
    using planted = plant();
    planted.replace('schema.graphql', '  category: String!\n', '');
    const { code, stdout } = await run('check', '--json', '--root', planted.dir);
    expect(code).toBe(1);
    const report = JSON.parse(stdout) as Report;
    expect(report.ok).toBe(false);
    const broken = report.checks.filter(({ findings }) => findings.length > 0);
    expect(broken.map(({ check }) => check)).toEqual(['graphql', 'generated documents']);
    expect(broken[0]?.findings[0]).toEqual({
      contract: 'graphql',
      rule: 'graphql/field-removed',
      versions: { released: '1.0.0', current: 'working tree' },
      broke: 'Product.category was removed.',
      remedy: expect.any(String) as string,
    });
    // A check that looked at nothing proves nothing. The copy has no git history.
    const idle = report.checks.filter(({ compared }) => compared === 0).map(({ check }) => check);
    expect(idle).toEqual(['released history']);
  });

  it.each([
    [['check', '--nonsense'], 2, 'nonsense'],
    [['release', '1.0'], 2, 'is not a version'],
    [['release', '1.0.0'], 2, '1.0.0 is not above'],
    [['unknown'], 2, 'unknown command'],
    [['check', '--registry-url', 'http://127.0.0.1:1'], 3, 'does not answer'],
  ])('%j exits %i', async (args, code, says) => {
    const answer = await run(...args);
    expect(answer).toMatchObject({ code, stdout: '' });
    expect(answer.stderr).toContain(says);
  });

  it('explains itself', async () => {
    const { code, stdout } = await run('--help');
    expect(code).toBe(0);
    expect(stdout).toContain('contracts:release');
  });
});

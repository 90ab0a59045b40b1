import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { rootDir } from '../stack/context.ts';
import { exitCodes } from './exit.ts';

const launcher = 'platform/launcher/src/main.ts';
const timeline = 'platform/timeline/src/main.ts';
const compat = 'platform/compat/src/main.ts';
const bench = 'platform/bench/src/main.ts';
const engines = 'platform/engines/src/cli.ts';
const gateway = 'gateway-config/src/main.ts';

const run = async (
  [entry = '', ...args]: readonly string[],
  stdout: number | 'pipe' = 'pipe',
): Promise<{ readonly exitCode: number | null; readonly stderr: string }> => {
  const child = spawn(process.execPath, [join(rootDir, entry), ...args], {
    stdio: ['ignore', stdout, 'pipe'],
    cwd: rootDir,
  });
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
  child.stdout?.resume();
  const stderr = await text(child.stderr as NodeJS.ReadableStream); // 'pipe' above
  return { exitCode: await exited, stderr };
};

describe('every command line', () => {
  it.each([[[launcher]], [[timeline]], [[timeline, 'log']], [[compat]], [[bench]], [[engines]], [[gateway]]])(
    '%j refuses a word that is no command as wrong usage, also one that every object has',
    async (argv) => {
      for (const word of ['constructor', '__proto__']) {
        const { exitCode, stderr } = await run([...argv, word]);
        expect(exitCode).toBe(exitCodes.usage);
        expect(stderr).not.toMatch(/^\s+at /m);
      }
    },
    60_000,
  );

  it.each([[[launcher]], [[timeline, 'log']], [[compat]], [[bench]], [[engines]], [[gateway]]])(
    '%j fails with a message when its output cannot be written',
    async (argv) => {
      const full = openSync('/dev/full', 'w');
      try {
        const { exitCode, stderr } = await run([...argv, '--help'], full);
        expect(exitCode).toBe(exitCodes.failed);
        expect(stderr).toContain('standard output cannot be written');
      } finally {
        closeSync(full);
      }
    },
    60_000,
  );
});

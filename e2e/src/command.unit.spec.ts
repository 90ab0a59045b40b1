import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { runCommand } from './command.ts';

const stack = { runDir: '/nowhere' };

/** False for one that has ended, also before its parent has asked how. */
const isRunning = (pid: number): boolean => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '';
  } catch {
    return false;
  }
};

it('a command is answered with what it printed and its exit code, on the stack under test', async () => {
  expect(await runCommand(stack, ['sh', '-c', 'echo "$PARLEY_RUN_DIR"; echo no >&2; exit 3'])).toEqual({
    exitCode: 3,
    stdout: '/nowhere\n',
    stderr: 'no\n',
  });
});

it('one that does not end in time is ended with its children, deaf ones too', async () => {
  const script = '(trap "" TERM; sleep 60) & echo $!; wait';
  const limits = { timeoutMs: 500, graceMs: 200 };
  const { exitCode, stdout } = await runCommand(stack, ['sh', '-c', script], limits);
  expect(exitCode).toBe(-1);
  expect(Number(stdout)).toBeGreaterThan(0);
  expect(isRunning(Number(stdout))).toBe(false);
});

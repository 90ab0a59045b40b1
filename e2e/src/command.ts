import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { endGroup } from '@parley/engines/testing';
import type { StackUnderTest } from './stack.ts';

const root = join(import.meta.dirname, '../..');
const outputCharsMax = 64 * 1024 * 1024;

/** How a command ended. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How long a command may take. */
export interface CommandLimits {
  /** Milliseconds until it is told to end. */
  readonly timeoutMs: number;
  /** Milliseconds from then until what is left of it is killed. */
  readonly graceMs: number;
}

/**
 * Runs a tool in the clone's root as a person would type it there, on the stack under test. One that does not end
 * within its time (5 min), or prints more than 64 million characters, is ended with all that it started in its process
 * group; its exit code is then -1.
 */
export const runCommand = (
  { runDir }: Pick<StackUnderTest, 'runDir'>,
  [command, ...args]: readonly [string, ...string[]],
  { timeoutMs, graceMs }: CommandLimits = { timeoutMs: 300_000, graceMs: 5000 },
): Promise<CommandResult> =>
  new Promise((resolve, reject) => {
    const env = {
      ...process.env,
      PARLEY_ENDPOINTS: join(runDir, 'endpoints.json'),
      PARLEY_RUN_DIR: runDir,
      PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ''}`,
      TURBO_TELEMETRY_DISABLED: '1',
    };
    const child = spawn(command, args, {
      cwd: root,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let ending: Promise<void> | undefined;
    const end = (): void => {
      if (child.pid === undefined) return;
      ending ??= endGroup(child.pid, graceMs).then(() => {
        for (const stream of [child.stdout, child.stderr]) stream.destroy(); // somebody outside the group may hold them
      });
    };
    const timer = setTimeout(end, timeoutMs);
    const printed = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        printed[name] += text;
        if (printed[name].length > outputCharsMax) end();
      });
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      const exitCode = ending === undefined ? (code ?? -1) : -1;
      void (ending ?? Promise.resolve()).then(() => {
        resolve({ exitCode, ...printed });
      });
    });
  });

/** `npm run log -- …` without npm, whose start costs more than the command. */
export const runLog = (stack: StackUnderTest, ...args: readonly string[]): Promise<CommandResult> =>
  runCommand(stack, [process.execPath, 'platform/timeline/src/main.ts', 'log', ...args]);

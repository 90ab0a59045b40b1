import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import type { StackUnderTest } from './stack.ts';

const root = join(import.meta.dirname, '../..');
const commandTimeoutMs = 110_000;
const outputBytesMax = 64 * 1024 * 1024;

/** How a command ended. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a tool in the clone's root as a person would type it there, on the stack under test. One that does not end
 * within 110 s is ended; its exit code is then -1.
 */
export const runCommand = (
  { runDir }: Pick<StackUnderTest, 'runDir'>,
  command: string,
  args: readonly string[],
): Promise<CommandResult> =>
  new Promise((resolve) => {
    const env = {
      ...process.env,
      PARLEY_ENDPOINTS: join(runDir, 'endpoints.json'),
      PARLEY_RUN_DIR: runDir,
      PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ''}`,
      TURBO_TELEMETRY_DISABLED: '1',
    };
    const options = { cwd: root, env, timeout: commandTimeoutMs, maxBuffer: outputBytesMax };
    const child = execFile(command, [...args], options, (_error, stdout, stderr) => {
      resolve({ exitCode: child.exitCode ?? -1, stdout, stderr });
    });
  });

/** `npm run log -- …` without npm, whose start costs more than the command. */
export const runLog = (stack: StackUnderTest, ...args: readonly string[]): Promise<CommandResult> =>
  runCommand(stack, process.execPath, ['platform/timeline/src/main.ts', 'log', ...args]);

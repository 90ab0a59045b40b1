import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rootDir } from '../stack/context.ts';

/** How one tool is run: in the clone's root, in a session of its own, so that only we decide when it stops. */
export interface ToolOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Aborting sends SIGTERM to the tool's process group. */
  readonly signal: AbortSignal;
}

/** Runs a tool of node_modules/.bin or npm with our streams and returns its exit code; death by a signal is 1. */
export const runTool = async (
  command: string,
  args: readonly string[],
  { env = {}, signal }: ToolOptions,
): Promise<number> => {
  const child = spawn(command, args, {
    cwd: rootDir,
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', ...env },
  });
  const stop = (): void => {
    if (child.pid === undefined || child.exitCode !== null) return;
    try {
      process.kill(-child.pid, 'SIGTERM');
    } catch {
      // it ended between the check and the signal
    }
  };
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  try {
    await once(child, 'exit');
    return child.exitCode ?? 1;
  } finally {
    signal.removeEventListener('abort', stop);
  }
};

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { endGroup } from '@parley/engines/process-group';
import { rootDir } from '../stack/context.ts';

/** Longer than a tool with a stack of its own takes to drain and stop it. */
const toolGraceMs = 90_000;

/** How one tool is run: in the clone's root, in a session of its own, so that only we decide when it stops. */
export interface ToolOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Aborting ends the tool's process group: SIGTERM, then SIGKILL after `graceMs`. */
  readonly signal: AbortSignal;
  /** 90 s by default. */
  readonly graceMs?: number;
}

/**
 * Runs a tool of node_modules/.bin or npm with our streams and returns its exit code; death by a signal is 1. After an
 * abort it resolves when nothing of the tool's process group runs any more.
 */
export const runTool = async (
  command: string,
  args: readonly string[],
  { env = {}, signal, graceMs = toolGraceMs }: ToolOptions,
): Promise<number> => {
  const child = spawn(command, args, {
    cwd: rootDir,
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', ...env },
  });
  let ending: Promise<void> | undefined;
  const stop = (): void => {
    if (child.pid !== undefined) ending ??= endGroup(child.pid, graceMs);
  };
  const exited = once(child, 'exit');
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  try {
    await exited;
    await ending;
    return child.exitCode ?? 1;
  } finally {
    signal.removeEventListener('abort', stop);
  }
};

import { rmSync } from 'node:fs';
import { EngineError } from '@parley/engines';
import { supervise, type Exit } from '@parley/engines/process';
import { isRunning, startTicksOf } from '@parley/engines/procfs';
import { waitUntil } from '@parley/engines/wait';
import type { Output } from '../cli/output.ts';
import { inNamespace } from './namespaces.ts';

const linesInError = 15;
const readyPollMs = 100;

/** A process of the mesh, in one of its namespaces. */
export interface MeshProcess {
  readonly name: string;
  readonly pid: number;
  readonly exited: Promise<Exit>;
  /** SIGTERM, then SIGKILL after `graceMs`; resolves when it is gone. */
  stop(): Promise<void>;
}

/** What to start, and how to know that it works. */
export interface MeshProcessOptions {
  readonly name: string;
  readonly runDir: string;
  /** Absent: the hub's, in which this process runs itself. */
  readonly namespace?: string;
  readonly command: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly isReady: () => Promise<boolean>;
  readonly readyDeadlineMs: number;
  /** Aborting it while the process is not ready yet stops the process, and rejects. */
  readonly signal?: AbortSignal;
  readonly graceMs: number;
  readonly output: Output;
}

const kill = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(-pid, signal); // its group: pilot-agent's Envoy too
  } catch {
    // it ended meanwhile
  }
};

/** Starts a process and waits until it works. Rejects with the last lines of its log when it does not. One that ends later by itself is said. */
export const startProcess = async (options: MeshProcessOptions): Promise<MeshProcess> => {
  const {
    name,
    runDir,
    namespace,
    command,
    env = {},
    cwd,
    isReady,
    readyDeadlineMs,
    signal,
    graceMs,
    output,
  } = options;
  signal?.throwIfAborted();
  const [program = '', ...args] = inNamespace(namespace, command);
  const child = await supervise({ name, runDir, command: program, args, env, cwd });
  const startTicks = startTicksOf(child.pid) ?? 0;
  const state = { hasExited: false, isStopping: false };
  const exited = child.exited.then((exit) => {
    state.hasExited = true;
    kill(child.pid, 'SIGKILL'); // what it left in its group; later the number may be another's
    return exit;
  });
  const stop = async (): Promise<void> => {
    state.isStopping = true;
    const gone = (): boolean => state.hasExited || !isRunning(child.pid, startTicks);
    if (!gone()) process.kill(child.pid, 'SIGTERM');
    if (!(await waitUntil(gone, { deadlineMs: graceMs, intervalMs: 50 }))) kill(child.pid, 'SIGKILL');
    await exited;
  };
  const isSettled = async (): Promise<boolean> => state.hasExited || (await isReady());
  const wait = { deadlineMs: readyDeadlineMs, intervalMs: readyPollMs, signal };
  const isSettledInTime = await waitUntil(isSettled, wait).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  if (!isSettledInTime || state.hasExited) {
    const how = state.hasExited ? 'ended before it was ready' : `was not ready within ${readyDeadlineMs} ms`;
    await stop();
    throw new EngineError(`${name} ${how}:\n${child.lastLines(linesInError).join('\n')}`);
  }
  void exited.then(({ code, signal }) => {
    if (!state.isStopping)
      output.bad(`${name} ended by itself (${signal ?? `code ${code ?? 0}`}); see its log`);
  });
  return { name, pid: child.pid, exited, stop };
};

/** Empties a folder that is made anew at each start. */
export const emptied = (folder: string): string => {
  rmSync(folder, { recursive: true, force: true });
  return folder;
};

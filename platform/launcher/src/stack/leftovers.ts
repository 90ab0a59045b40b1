import { rmSync } from 'node:fs';
import { runFiles } from './context.ts';
import { isRunning, startTicksOf } from '@parley/engines/procfs';
import { supervisedPids, type Part } from './supervised.ts';
import { waitUntil } from '@parley/engines/wait';

interface Process {
  readonly pid: number;
  readonly startTicks: number;
}

const signalAll = (processes: readonly Process[], signal: NodeJS.Signals): void => {
  for (const { pid, startTicks } of processes) {
    if (!isRunning(pid, startTicks)) continue;
    try {
      process.kill(pid, signal);
    } catch {
      // it ended between the check and the signal
    }
  }
};

const found = (runDir: string, part: Part): Process[] =>
  supervisedPids(runDir, part).flatMap((pid) => {
    const startTicks = startTicksOf(pid);
    return startTicks === undefined ? [] : [{ pid, startTicks }];
  });

const roundsMax = 5;

/**
 * Ends every process of a stack or of a part of it, by the run folder's mark, whoever started it: SIGTERM, and SIGKILL for what is still
 * there after `graceMs`. Looks again until none is left, since a supervisor may start one more. Returns how many there were.
 */
export const endLeftovers = async (runDir: string, graceMs: number, part: Part = 'all'): Promise<number> => {
  let ended = 0;
  for (let round = 0; round < roundsMax; round++) {
    const processes = found(runDir, part);
    if (processes.length === 0) break;
    ended += processes.length;
    const gone = (): boolean => processes.every(({ pid, startTicks }) => !isRunning(pid, startTicks));
    signalAll(processes, 'SIGTERM');
    if (!(await waitUntil(gone, { deadlineMs: graceMs }))) {
      signalAll(processes, 'SIGKILL');
      await waitUntil(gone, { deadlineMs: 2000 });
    }
  }
  return ended;
};

/** Removes what only a running stack has in its run folder: pid files and the engines' temporary files. */
export const removeTraces = (runDir: string): void => {
  const { pids, tmp } = runFiles(runDir);
  for (const folder of [pids, tmp]) rmSync(folder, { recursive: true, force: true });
};

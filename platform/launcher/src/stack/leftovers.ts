import { rmSync } from 'node:fs';
import { runFiles } from './context.ts';
import { isRunning, processesBelow, startTicksOf } from '@parley/engines/procfs';
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

const identified = (pids: readonly number[]): Process[] =>
  pids.flatMap((pid) => {
    const startTicks = startTicksOf(pid);
    return startTicks === undefined ? [] : [{ pid, startTicks }];
  });

const roundsMax = 5;

/** SIGTERM, and SIGKILL for what is still there after `graceMs`. Returns how many there were. */
const endAll = async (find: () => readonly number[], graceMs: number): Promise<number> => {
  let ended = 0;
  for (let round = 0; round < roundsMax; round++) {
    const processes = identified(find());
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

/**
 * Ends every process of a stack or of a part of it, by the run folder's mark, whoever started it: SIGTERM, and SIGKILL for what is still
 * there after `graceMs`. Looks again until none is left, since a supervisor may start one more. Returns how many there were.
 */
export const endLeftovers = (runDir: string, graceMs: number, part: Part = 'all'): Promise<number> =>
  endAll(() => supervisedPids(runDir, part), graceMs);

/** As `endLeftovers`, for every process that works in `folder`: of all stacks, engines and tools there. */
export const endAllBelow = (folder: string, graceMs: number): Promise<number> =>
  endAll(() => processesBelow(folder), graceMs);

/** Removes what only a running stack has in its run folder: pid files and the engines' temporary files. */
export const removeTraces = (runDir: string): void => {
  const { pids, tmp } = runFiles(runDir);
  for (const folder of [pids, tmp]) rmSync(folder, { recursive: true, force: true });
};

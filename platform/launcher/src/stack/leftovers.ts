import { isRunning, startTicksOf, supervisedPids } from './procfs.ts';
import { waitUntil } from './wait.ts';

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

const found = (runDir: string): Process[] =>
  supervisedPids(runDir).flatMap((pid) => {
    const startTicks = startTicksOf(pid);
    return startTicks === undefined ? [] : [{ pid, startTicks }];
  });

const roundsMax = 5;

/**
 * Ends every process that carries the run folder's mark, whoever started it: SIGTERM, and SIGKILL for what is still
 * there after `graceMs`. Looks again until none is left, since a supervisor may start one more. Returns how many there were.
 */
export const endLeftovers = async (runDir: string, graceMs: number): Promise<number> => {
  let ended = 0;
  for (let round = 0; round < roundsMax; round++) {
    const processes = found(runDir);
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

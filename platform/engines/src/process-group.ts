import { processesInGroup } from './procfs.ts';
import { waitUntil } from './wait.ts';

const killWaitMs = 5000;

const signalGroup = (group: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(-group, signal);
  } catch {
    // the whole group has ended
  }
};

/**
 * Ends a process group as a whole: SIGTERM, and SIGKILL for what of it still runs after `graceMs`. Resolves when none
 * does, or 5 s after the SIGKILL.
 */
export const endGroup = async (group: number, graceMs: number): Promise<void> => {
  const gone = (): boolean => processesInGroup(group).length === 0;
  signalGroup(group, 'SIGTERM');
  if (await waitUntil(gone, { deadlineMs: graceMs })) return;
  signalGroup(group, 'SIGKILL');
  await waitUntil(gone, { deadlineMs: killWaitMs });
};

import type { constants } from 'node:os';

/** Signals a process if it is still there. */
export const signal = (pid: number, name: keyof typeof constants.signals): void => {
  try {
    process.kill(pid, name);
  } catch {
    // gone already
  }
};

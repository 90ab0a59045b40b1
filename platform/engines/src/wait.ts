import { setTimeout as pause } from 'node:timers/promises';

const pollMs = 50;

/** Asks until the answer is true or the deadline passes; a throw counts as false. Resolves with the last answer, never rejects. */
export const waitUntil = async (
  ask: () => boolean | Promise<boolean>,
  deadlineMs: number,
): Promise<boolean> => {
  const end = Date.now() + deadlineMs;
  for (;;) {
    try {
      if (await ask()) return true;
    } catch {
      // not yet
    }
    if (Date.now() >= end) return false;
    await pause(pollMs);
  }
};

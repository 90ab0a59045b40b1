import { setTimeout as delay } from 'node:timers/promises';

/** How long to look, and how often. */
export interface WaitOptions {
  readonly deadlineMs: number;
  readonly intervalMs?: number;
}

/** Thrown by a look when waiting on is of no use: ends the wait at once. */
export class NeverError extends Error {}

/**
 * Looks until `look` finds something (anything but undefined) and returns it. At the deadline it throws with what was
 * awaited, and with the last error when `look` failed to the end.
 */
export const waitFor = async <T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  { deadlineMs, intervalMs = 50 }: WaitOptions,
): Promise<T> => {
  const end = performance.now() + deadlineMs;
  for (;;) {
    let failure: unknown;
    try {
      const found = await look();
      if (found !== undefined) return found;
    } catch (error) {
      if (error instanceof NeverError) throw error;
      failure = error;
    }
    if (performance.now() >= end) throw new Error(`${what}: not within ${deadlineMs} ms`, { cause: failure });
    await delay(intervalMs);
  }
};

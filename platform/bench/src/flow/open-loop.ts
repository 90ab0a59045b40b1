/** Arrivals at a fixed rate, whatever becomes of the ones before: a slow answer delays no later arrival. */
import { setTimeout as pause } from 'node:timers/promises';

/** How operations arrive. */
export interface Arrivals {
  readonly perSecond: number;
  readonly count: number;
  readonly signal: AbortSignal;
}

/**
 * Starts operation n at n ÷ rate and resolves when all have ended. An operation is told when it was due, so that what
 * it measures counts the time that it was started late. Rejects with the first failure, or when aborted.
 */
export async function openLoop<T>(
  { perSecond, count, signal }: Arrivals,
  operation: (index: number, dueAtMs: number) => Promise<T>,
): Promise<T[]> {
  const beginsAtMs = performance.now();
  const started = Array.from({ length: count }, async (_, index) => {
    const dueAtMs = beginsAtMs + (index * 1000) / perSecond;
    await pause(Math.max(0, Math.ceil(dueAtMs - performance.now())), undefined, { signal });
    return operation(index, Math.min(dueAtMs, performance.now())); // a timer may fire a fraction early
  });
  return Promise.all(started);
}

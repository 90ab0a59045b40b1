import { setTimeout as delay } from 'node:timers/promises';

/** How much is asked for; a machine that gives less is told apart in the evidence. */
export interface Load {
  readonly perSecond: number;
  /** Calls under way at the same time. */
  readonly inFlightMax: number;
  /** Asked before each call. */
  readonly isOver: () => boolean;
}

/**
 * Calls `act` in an open loop until it is over, at most so many at a time. Resolves when every call has ended; rejects then
 * with the first failure, after which no further call is begun.
 */
export const loadUntil = async (
  { perSecond, inFlightMax, isOver }: Load,
  act: () => Promise<void>,
): Promise<void> => {
  const failures: unknown[] = [];
  const underWay = new Set<Promise<void>>();
  const startedAtMs = performance.now();
  for (let n = 0; failures.length === 0 && !isOver(); n += 1) {
    await delay(Math.max(0, startedAtMs + (n * 1_000) / perSecond - performance.now()));
    while (underWay.size >= inFlightMax) await Promise.race(underWay);
    const acting = act()
      .catch((error: unknown) => void failures.push(error))
      .finally(() => underWay.delete(acting));
    underWay.add(acting);
  }
  await Promise.all(underWay);
  if (failures.length > 0) throw new Error('a call of the load failed', { cause: failures[0] });
};

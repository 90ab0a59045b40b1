/**
 * The longest that what is read may be kept for more to come with it. A member of a consumer group gives no sign of life
 * while it waits for a fetch, and is given up after a few seconds without one (kafka/group-member.ts).
 */
export const GATHER_MS_MAX = 2000;

/** @throws RangeError unless it is from 0 to `GATHER_MS_MAX`. */
export function assertGatherMs(gatherMs: number): void {
  if (!(gatherMs >= 0 && gatherMs <= GATHER_MS_MAX))
    throw new RangeError(`gatherMs must be from 0 to ${String(GATHER_MS_MAX)}, not ${String(gatherMs)}`);
}

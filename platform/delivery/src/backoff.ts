/** Pauses between the calls for one delivery: doubled each time up to a maximum, and spread so that many do not call together. */
export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
  /** Part of each pause that is left to chance, 0 to 1. Default 0.2: a pause of 100 ms lasts 80 to 100 ms. */
  readonly jitter?: number;
}

const JITTER = 0.2;

/** The pause after the n-th call (from 1), in milliseconds: never above the doubled one, and never above `maxMs`. */
export const backoffMs = (
  { firstMs, maxMs, jitter = JITTER }: Backoff,
  call: number,
  random: () => number = Math.random,
): number => Math.min(maxMs, firstMs * 2 ** (call - 1)) * (1 - jitter * random());

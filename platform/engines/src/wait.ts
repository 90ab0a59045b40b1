import { setTimeout as delay } from 'node:timers/promises';

/** How long and how often to look. */
export interface WaitOptions {
  readonly deadlineMs: number;
  /** 100 by default. */
  readonly intervalMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Looks until `condition` is true: true then, false at the deadline. An abort rejects, and so does what the condition throws. */
export const waitUntil = async (
  condition: () => boolean | Promise<boolean>,
  { deadlineMs, intervalMs = 100, signal }: WaitOptions,
): Promise<boolean> => {
  const end = performance.now() + deadlineMs;
  for (;;) {
    signal?.throwIfAborted();
    if (await condition()) return true;
    if (performance.now() >= end) return false;
    await delay(intervalMs, undefined, { signal });
  }
};

/** The promise, or a rejection with the signal's reason as soon as it is aborted. */
export const orAbort = async <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> => {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => {
    reject(signal.reason);
  };
  signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
};

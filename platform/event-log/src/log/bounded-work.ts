/** Work that is waited for, and not for ever. What is under way goes on, and whoever gives it up leaves it behind. */
import { setTimeout as pause } from 'node:timers/promises';

/** Settles as the work does, or rejects as soon as the signal is aborted. */
export async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => {
    aborted.reject(signal.reason as Error);
  };
  signal.addEventListener('abort', onAbort);
  if (signal.aborted) onAbort();
  try {
    const done = await Promise.race([work, aborted.promise]);
    signal.throwIfAborted();
    return done;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Resolves when the work does or after so long, whichever is first. */
export async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  const late = pause(Math.max(0, ms), undefined, { signal: done.signal }).catch(() => undefined);
  try {
    await Promise.race([work, late]);
  } finally {
    done.abort();
  }
}

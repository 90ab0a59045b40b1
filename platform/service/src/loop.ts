import { setTimeout as pause } from 'node:timers/promises';

/**
 * Calls `work` again and again with a pause between the end of one call and the start of the next, until stopped or
 * until `signal` aborts. Work that throws is reported and the loop goes on. `stop` resolves once the work under way,
 * which is given a signal to end early, has ended.
 */
export const startLoop = (options: {
  readonly pauseMs: number;
  readonly work: (signal: AbortSignal) => Promise<unknown>;
  readonly failed: (error: unknown) => void;
  readonly signal?: AbortSignal;
}): { readonly stop: () => Promise<void> } => {
  const abort = new AbortController();
  const signal =
    options.signal === undefined ? abort.signal : AbortSignal.any([abort.signal, options.signal]);
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await options.work(signal);
      } catch (error) {
        options.failed(error);
      }
      await pause(options.pauseMs, undefined, { signal }).catch(() => undefined); // aborted: the loop ends
    }
  };
  const running = run();
  return {
    stop: () => {
      abort.abort();
      return running;
    },
  };
};

import { setTimeout as pause } from 'node:timers/promises';

/**
 * Calls `sweep` again and again with a pause between the end of one and the start of the next, until stopped.
 * A sweep that throws is reported and the loop goes on. `stop` resolves once the sweep under way has ended.
 */
export const startLoop = (options: {
  readonly pauseMs: number;
  readonly sweep: () => Promise<unknown>;
  readonly failed: (error: unknown) => void;
}): { readonly stop: () => Promise<void> } => {
  const abort = new AbortController();
  const run = async (): Promise<void> => {
    while (!abort.signal.aborted) {
      try {
        await options.sweep();
      } catch (error) {
        options.failed(error);
      }
      await pause(options.pauseMs, undefined, { signal: abort.signal }).catch(() => undefined);
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

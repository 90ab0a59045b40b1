import { setTimeout as pause } from 'node:timers/promises';

const PAUSE_MS = 1000;

/** Sweeps again and again until stopped; `stop` resolves once the sweep under way has ended. */
export const startRecovery = (
  sweep: () => Promise<number>,
  report: { readonly settled: (orders: number) => void; readonly failed: (error: unknown) => void },
): { readonly stop: () => Promise<void> } => {
  const abort = new AbortController();
  const run = async (): Promise<void> => {
    while (!abort.signal.aborted) {
      try {
        const settled = await sweep();
        if (settled > 0) report.settled(settled);
      } catch (error) {
        report.failed(error);
      }
      await pause(PAUSE_MS, undefined, { signal: abort.signal }).catch(() => undefined);
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

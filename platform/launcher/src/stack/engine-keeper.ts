import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../cli/exit.ts';
import { nextRestart } from './backoff.ts';
import type { StackContext } from './context.ts';
import type { EngineHost, EngineName, RunningEngine } from './engine-host.ts';
import { lastLines } from './log-tail.ts';

const linesShown = 8;

/** What keeps one engine up. */
export interface KeptEngine {
  stop(): Promise<void>;
}

/**
 * Starts an engine, and again with growing pauses whenever it ends by itself; each death is said by name with the last
 * lines of its log. Rejects when the first start fails.
 */
export const keepEngine = async (
  host: EngineHost,
  name: EngineName,
  { context, say }: { readonly context: StackContext; readonly say: (line: string) => void },
): Promise<KeptEngine> => {
  const stopping = new AbortController();
  let running: RunningEngine | undefined = await host.start(name, context);
  const keep = async (): Promise<void> => {
    const stopped = (): boolean => stopping.signal.aborted; // asked anew after each await
    let failures = 0;
    while (!stopped()) {
      const startedAt = performance.now();
      const death = running === undefined ? 'did not start' : await running.exited;
      if (stopped()) return;
      const logPath = running?.logPath;
      running = undefined;
      const restart = nextRestart(failures, performance.now() - startedAt);
      failures = restart.failures;
      say(`${name} ${death}; starting again in ${restart.pauseMs / 1000} s`);
      if (logPath !== undefined) {
        say(`last lines of ${logPath}:`);
        for (const line of await lastLines(logPath, linesShown)) say(`  ${line}`);
      }
      await delay(restart.pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopped()) return;
      try {
        running = await host.start(name, context);
        say(`${name} runs again`);
      } catch (error) {
        say(messageOf(error));
      }
    }
  };
  const kept = keep();
  return {
    stop: async () => {
      stopping.abort();
      await running?.stop();
      await kept;
      await running?.stop(); // one that came up while it was told to stop
    },
  };
};

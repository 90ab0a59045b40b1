import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../cli/exit.ts';
import { nextRestart } from './backoff.ts';
import type { StackContext } from './context.ts';
import { sayDeath } from './death.ts';
import type { EngineName } from '@parley/engines';
import type { EngineHost, RunningEngine } from './engine-host.ts';
import { strangersAt } from './taken-ports.ts';
import type { Output } from '../cli/output.ts';

/** Of what stack an engine is, who hears of it, and what ends its first start. */
export interface KeepOptions {
  readonly context: StackContext;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/** What keeps one engine up. */
export interface KeptEngine {
  stop(): Promise<void>;
}

/**
 * Starts an engine, and again with growing pauses whenever it ends by itself; each death is said by name with the last
 * lines of its log. Rejects when the first start fails, also by an abort of `signal`; later only `stop` ends it.
 */
export const keepEngine = async (
  host: EngineHost,
  name: EngineName,
  { context, output, signal }: KeepOptions,
): Promise<KeptEngine> => {
  const stopping = new AbortController();
  const say = (line: string): void => {
    output.bad(line);
  };
  let running: RunningEngine | undefined = await host.start(name, context, { signal, say });
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
      await sayDeath(output, { name, death, logPath, pauseMs: restart.pauseMs });
      await delay(restart.pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopped()) return;
      try {
        running = await host.start(name, context, { signal: stopping.signal, say });
        output.good(`${name} runs again`);
      } catch (error) {
        if (stopped()) return;
        output.bad(messageOf(error));
        for (const line of await strangersAt(name, context)) output.bad(line);
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

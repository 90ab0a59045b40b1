import type { Command } from '../cli/command.ts';
import { exitCodes } from '../cli/exit.ts';
import { outputTo } from '../cli/output.ts';
import { contextFrom } from '../stack/context.ts';
import { memoryBytesOf, supervisedPids } from '../stack/procfs.ts';
import { startStack } from '../stack/stack.ts';
import { startTable } from '../stack/start-table.ts';
import type { EngineHost } from '../stack/engine-host.ts';

/** `npm run dev`: the whole stack in the foreground, until Ctrl-C or SIGTERM. */
export const devCommandOn = (host: EngineHost): Command => ({
  name: 'dev',
  summary: 'obtains and starts the whole stack, reloads services on change; Ctrl-C stops all of it',
  help: [
    'PARLEY_PORT_BASE (4000) and PARLEY_RUN_DIR (.parley) choose another stack; PARLEY_WATCH=0 switches reload off',
  ],
  options: {},
  run: async () => {
    const startedAt = performance.now();
    const context = contextFrom(process.env);
    const output = outputTo(process.stdout);
    const abort = new AbortController();
    const stopAsked = new Promise<void>((resolve) => {
      const stop = (): void => {
        if (!abort.signal.aborted) output.line('stopping …');
        abort.abort();
        resolve();
      };
      process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
    });
    try {
      const watch = process.env.PARLEY_WATCH !== '0';
      const stack = await startStack(context, { host, output, watch, signal: abort.signal });
      const memoryBytes = memoryBytesOf([process.pid, ...supervisedPids(context.runDir)]);
      const startMs = performance.now() - startedAt;
      output.line(startTable({ endpoints: stack.endpoints, startMs, memoryBytes }));
      const broken = await Promise.race([stopAsked.then(() => false), stack.broken.then(() => true)]);
      if (broken) output.bad('turbo ended, and the services with it; see turbo.log in the run folder');
      await stack.stop();
      output.line('stopped; nothing is left running');
      return broken ? exitCodes.failed : exitCodes.ok;
    } catch (error) {
      if (abort.signal.aborted) return exitCodes.ok; // asked to stop during the start; all of it is undone
      throw error;
    }
  },
});

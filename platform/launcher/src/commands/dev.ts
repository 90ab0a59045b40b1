import type { Command } from '../cli/command.ts';
import { exitCodes } from '../cli/exit.ts';
import { appendingTo, outputTo } from '../cli/output.ts';
import { rowsOfEngines } from '@parley/engines';
import { contextFrom, enginesOf, runFiles } from '../stack/context.ts';
import { memoryBytesOf } from '@parley/engines/procfs';
import { orAbort } from '@parley/engines/wait';
import { supervisedPids } from '../stack/supervised.ts';
import { firstProductId } from '../stack/readiness.ts';
import { startStack } from '../stack/stack.ts';
import { startTable } from '../stack/start-table.ts';
import type { EngineHost } from '../stack/engine-host.ts';
import { brokersHelp, brokersOption, withBrokersFrom } from './brokers-option.ts';
import { scaleFrom, scaleHelp, scaleOption } from './scale-option.ts';
import { abortOnSignals } from './signals.ts';

/** When the person typed the command, in epoch milliseconds: the bootstrap says it, so that its installation counts. */
const startOf = (env: NodeJS.ProcessEnv): number => {
  const at = Number(env.PARLEY_STARTED_AT);
  return Number.isInteger(at) && at > 0 && at <= Date.now() ? at : Date.now();
};

/** What to put before a command in another terminal so that it finds this stack; nothing for the usual one. */
const chosenStack = (env: NodeJS.ProcessEnv): string =>
  env.PARLEY_RUN_DIR === undefined
    ? ''
    : `PARLEY_RUN_DIR='${env.PARLEY_RUN_DIR.replaceAll("'", String.raw`'\''`)}' `;

/** `npm run dev`: the whole stack in the foreground, until Ctrl-C or SIGTERM. */
export const devCommandOn = (host: EngineHost): Command => ({
  name: 'dev',
  summary: 'obtains and starts the whole stack, reloads services on change; Ctrl-C stops all of it',
  help: [
    scaleHelp,
    brokersHelp,
    'PARLEY_PORT_BASE (4000) and PARLEY_RUN_DIR (.parley) choose another stack; PARLEY_WATCH=0 switches reload off',
    'PARLEY_ENGINES adds engines to the default ones, or leaves some out: PARLEY_ENGINES=+name,-other',
  ],
  options: { ...scaleOption, ...brokersOption },
  run: async (values) => {
    const startedAt = startOf(process.env);
    const context = withBrokersFrom(values, contextFrom(process.env));
    const scale = scaleFrom(values, context);
    const isDetached = process.send !== undefined; // by npm run up, which waits for a message and keeps what is said
    const keep = isDetached ? undefined : appendingTo(runFiles(context.runDir).launcherLog);
    const output = outputTo(process.stdout, keep);
    const { promise: stopAsked, resolve } = Promise.withResolvers<undefined>();
    const signal = abortOnSignals(() => {
      output.line('stopping …');
      resolve(undefined);
    });
    try {
      const watch = process.env.PARLEY_WATCH !== '0';
      const stack = await startStack(context, { host, output, watch, signal, scale });
      const memoryBytes = memoryBytesOf([process.pid, ...supervisedPids(context.runDir)]);
      const startMs = Date.now() - startedAt;
      const { endpoints } = stack;
      const productId = (await firstProductId(endpoints.gateway.url)) ?? '<product id>';
      const env = chosenStack(process.env);
      const engineRows = rowsOfEngines(enginesOf(context), context.portBase);
      output.line(startTable({ endpoints, engineRows, startMs, memoryBytes, productId, env, isDetached }));
      process.send?.('ready');
      await orAbort(stopAsked, stack.lost).catch(() => {
        output.bad('the run folder is no longer there for this stack; stopping …');
      });
      await stack.stop();
      stack.lost.throwIfAborted();
      output.line('stopped; nothing is left running');
      return exitCodes.ok;
    } catch (error) {
      if (signal.aborted) {
        output.line('stopped before it was ready; nothing is left running');
        return exitCodes.ok;
      }
      throw error;
    }
  },
});

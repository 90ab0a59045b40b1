import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from '../cli/command.ts';
import { CommandError, exitCodes, type ExitCode } from '../cli/exit.ts';
import { outputTo } from '../cli/output.ts';
import { contextFrom, runFiles } from '../stack/context.ts';
import { readEndpoints } from '../stack/endpoints-file.ts';
import { followLog } from '../stack/follow-log.ts';
import { holderOf } from '../stack/lock.ts';
import { shortenLogs } from '../stack/old-logs.ts';
import { waitUntil } from '@parley/engines/wait';
import { brokersHelp, brokersOption, withBrokersFrom } from './brokers-option.ts';
import { scaleFrom, scaleHelp, scaleOption } from './scale-option.ts';
import { abortOnSignals } from './signals.ts';

/** A first start downloads engines: minutes, not seconds. The launcher inside gives up long before on anything else. */
const upDeadlineMs = 20 * 60_000;

const isReady = (runDir: string): Promise<boolean> =>
  readEndpoints(runDir).then(
    () => true,
    () => false,
  );

/** Another launcher has the run folder: nothing to start, only to wait for. */
const awaitOther = async (runDir: string, pid: number, signal: AbortSignal): Promise<ExitCode> => {
  const output = outputTo(process.stdout);
  output.line(`a stack already runs from ${runDir} (launcher pid ${pid})`);
  const settled = async (): Promise<boolean> => (await holderOf(runDir)) === undefined || isReady(runDir);
  await waitUntil(settled, { deadlineMs: upDeadlineMs, intervalMs: 200, signal }).catch(() => undefined);
  if (signal.aborted) {
    output.line('no longer waiting; the other start goes on. Stop it with npm run down');
    return exitCodes.failed;
  }
  if (!(await isReady(runDir)))
    throw new CommandError(exitCodes.environment, 'it did not become ready. Try again: npm run up');
  output.good('it is ready. Stop it with npm run down');
  return exitCodes.ok;
};

/** `npm run up`: the same stack as dev in a session of its own; returns when it is ready. */
export const upCommand: Command = {
  name: 'up',
  summary: 'starts the stack in the background and returns when it is ready',
  help: [scaleHelp, brokersHelp, 'stop it with npm run down; a stack that already runs is left as it is'],
  options: { ...scaleOption, ...brokersOption },
  run: async (values, argv) => {
    const context = withBrokersFrom(values, contextFrom(process.env));
    const { runDir } = context;
    scaleFrom(values, context); // refused here, before a stack is begun
    const signal = abortOnSignals();
    const holder = await holderOf(runDir);
    if (holder !== undefined) return awaitOther(runDir, holder.pid, signal);
    const { logs, launcherLog: logPath } = runFiles(runDir);
    mkdirSync(logs, { recursive: true });
    await shortenLogs(runDir); // before the log is followed from its end
    const log = openSync(logPath, 'a+');
    const main = join(import.meta.dirname, '..', 'main.ts');
    const child = spawn(process.execPath, [main, 'dev', ...argv], {
      detached: true,
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...process.env, NO_COLOR: '1' },
    });
    const seen = { ready: false };
    child.on('message', () => (seen.ready = true)); // the only one there is, see dev.ts
    const show = followLog(log, (bytes) => process.stdout.write(bytes));
    const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
    const settled = (): boolean => {
      show();
      if (signal.aborted && !hasEnded()) child.kill('SIGTERM'); // it undoes its start by itself
      return hasEnded() || (seen.ready && !signal.aborted);
    };
    const done = await waitUntil(settled, { deadlineMs: upDeadlineMs, intervalMs: 200 });
    show();
    closeSync(log);
    if (child.connected) child.disconnect();
    child.unref();
    if (signal.aborted) return exitCodes.failed;
    const faster = hasEnded() ? await holderOf(runDir) : undefined;
    if (faster !== undefined) return awaitOther(runDir, faster.pid, signal); // another one began at the same time
    if (hasEnded())
      throw new CommandError(exitCodes.environment, `the stack did not start; all it said is in ${logPath}`);
    if (!done) throw new CommandError(exitCodes.environment, `not ready after 20 min; see ${logPath}`);
    return exitCodes.ok;
  },
};

import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from '../cli/command.ts';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { contextFrom, runFiles } from '../stack/context.ts';
import { readEndpoints } from '../stack/endpoints-file.ts';
import { holderOf } from '../stack/lock.ts';
import { waitUntil } from '../stack/wait.ts';

/** A first start downloads engines: minutes, not seconds. The launcher inside gives up long before on anything else. */
const upDeadlineMs = 20 * 60_000;

/** `npm run up`: the same stack as dev in a session of its own; returns when it is ready. */
export const upCommand: Command = {
  name: 'up',
  summary: 'starts the stack in the background and returns when it is ready',
  help: ['stop it with npm run down'],
  options: {},
  run: async () => {
    const { runDir } = contextFrom(process.env);
    const holder = await holderOf(runDir);
    if (holder !== undefined)
      throw new CommandError(exitCodes.environment, `a stack already runs (launcher pid ${holder.pid})`);
    const { logs } = runFiles(runDir);
    mkdirSync(logs, { recursive: true });
    const logPath = join(logs, 'launcher.log');
    const log = openSync(logPath, 'w+');
    const main = join(import.meta.dirname, '..', 'main.ts');
    const child = spawn(process.execPath, [main, 'dev'], {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, PARLEY_RUN_DIR: runDir, NO_COLOR: '1' },
    });
    const buffer = Buffer.alloc(64 * 1024);
    let shown = 0;
    const show = (): void => {
      for (;;) {
        const length = readSync(log, buffer, 0, buffer.length, shown);
        if (length === 0) return;
        process.stdout.write(buffer.subarray(0, length));
        shown += length;
      }
    };
    const isReady = async (): Promise<boolean> => {
      show();
      if (child.exitCode !== null || child.signalCode !== null) return true;
      return readEndpoints(runDir).then(
        () => true,
        () => false,
      );
    };
    const done = await waitUntil(isReady, { deadlineMs: upDeadlineMs, intervalMs: 200 });
    await waitUntil(() => (show(), shown > 0), { deadlineMs: 500 });
    closeSync(log);
    child.unref();
    if (child.exitCode !== null || child.signalCode !== null)
      throw new CommandError(exitCodes.environment, `the stack did not start; see ${logPath}`);
    if (!done) throw new CommandError(exitCodes.environment, `not ready after 20 min; see ${logPath}`);
    return exitCodes.ok;
  },
};

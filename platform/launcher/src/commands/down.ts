import { rm } from 'node:fs/promises';
import { relative } from 'node:path';
import { removeAbandonedBuilds } from '@parley/engines';
import type { Command } from '../cli/command.ts';
import { exitCodes } from '../cli/exit.ts';
import { outputTo } from '../cli/output.ts';
import { contextFrom, rootDir, runFiles } from '../stack/context.ts';
import { removeEndpoints } from '../stack/endpoints-file.ts';
import { endLeftovers, removeTraces } from '../stack/leftovers.ts';
import { otherLaunchers, otherLaunchersGone } from '../stack/run-folder.ts';
import { holderOf } from '../stack/lock.ts';
import { removeAbandonedRuns } from '../suite/test-run.ts';
import { isRunning } from '@parley/engines/procfs';
import { waitUntil } from '@parley/engines/wait';

/** Drain, engines, gateway: longer than the sum of their own bounds. */
const stopDeadlineMs = 90_000;
const leftoverGraceMs = 12_000;

/** `npm run down`: stops the stack of the run folder, however it was started and however its launcher ended. */
export const downCommand: Command = {
  name: 'down',
  summary: 'stops the stack, also what a killed launcher or test run left behind; state stays',
  help: [],
  options: {},
  run: async () => {
    const { runDir } = contextFrom(process.env);
    const output = outputTo(process.stdout);
    const holder = await holderOf(runDir);
    if (holder !== undefined) {
      output.line(`stopping the stack (launcher pid ${holder.pid}) …`);
      process.kill(holder.pid, 'SIGTERM');
      const gone = (): boolean => !isRunning(holder.pid, holder.startTicks);
      if (!(await waitUntil(gone, { deadlineMs: stopDeadlineMs }))) {
        output.bad(`the launcher did not stop within ${stopDeadlineMs / 1000} s; killing it`);
        process.kill(holder.pid, 'SIGKILL');
      }
    }
    for (const pid of otherLaunchers(runDir)) {
      output.line(`stopping a launcher (pid ${pid}) whose run folder was removed …`);
      process.kill(pid, 'SIGTERM');
    }
    await otherLaunchersGone(runDir, { deadlineMs: stopDeadlineMs });
    const leftovers = await endLeftovers(runDir, leftoverGraceMs);
    if (leftovers > 0) output.line(`ended ${leftovers} processes of a launcher that was killed`);
    const files = runFiles(runDir);
    await removeEndpoints(runDir);
    await rm(files.lock, { force: true });
    removeTraces(runDir);
    const ofTests = await removeAbandonedRuns();
    if (ofTests > 0) output.line(`ended ${ofTests} processes of a test run that was killed`);
    const halfObtained = removeAbandonedBuilds();
    if (halfObtained.length > 0) output.line(`removed what was half obtained of ${halfObtained.join(', ')}`);
    output.line(
      holder === undefined && leftovers + ofTests === 0
        ? `nothing was running (run folder ${relative(rootDir, runDir) || runDir})`
        : 'stopped; nothing is left running',
    );
    return exitCodes.ok;
  },
};

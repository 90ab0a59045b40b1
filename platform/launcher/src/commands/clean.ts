import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import type { Command } from '../cli/command.ts';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { outputTo } from '../cli/output.ts';
import { contextFrom, rootDir, runFiles } from '../stack/context.ts';
import { holderOf } from '../stack/lock.ts';
import { supervisedPids } from '../stack/supervised.ts';

/** `npm run clean`: forgets all state of the stack. The obtained engines stay: other clones use them. */
export const cleanCommand: Command = {
  name: 'clean',
  summary: 'removes the run folder: all orders, logs and state; refuses while the stack runs',
  help: [],
  options: {},
  run: async () => {
    const { runDir } = contextFrom(process.env);
    const output = outputTo(process.stdout);
    if ((await holderOf(runDir)) !== undefined || supervisedPids(runDir).length > 0)
      throw new CommandError(exitCodes.environment, 'the stack is running. Type npm run down first');
    if (!existsSync(runDir)) {
      output.line('nothing to remove');
      return exitCodes.ok;
    }
    // A slip in PARLEY_RUN_DIR must not cost somebody a folder that is not ours.
    const isUsual = dirname(runDir) === rootDir && basename(runDir).startsWith('.parley');
    if (!isUsual && (!existsSync(runFiles(runDir).logs) || existsSync(join(runDir, 'package.json'))))
      throw new CommandError(
        exitCodes.environment,
        `${runDir} does not look like a run folder; left alone. Remove it by hand if it is one`,
      );
    await rm(runDir, { recursive: true, force: true });
    output.line(
      `removed ${relative(rootDir, runDir) || runDir}; the obtained engines stay, other clones use them`,
    );
    return exitCodes.ok;
  },
};

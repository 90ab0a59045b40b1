import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { typedPath } from '@parley/cli';
import type { Command } from '../cli/command.ts';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { contextFrom, rootDir, runFiles } from '../stack/context.ts';
import { runTool } from '../suite/run-tool.ts';
import { abortOnSignals } from './signals.ts';

/** A command that another workspace carries out: it gets the arguments as they stand, --help included. */
export const handOver = (options: {
  readonly name: string;
  readonly summary: string;
  /** A folder under platform/. */
  readonly workspace: string;
  /** Put before what was typed. */
  readonly before?: readonly string[];
}): Command => ({
  name: options.name,
  summary: options.summary,
  help: [],
  options: {},
  takesArgumentsAsTheyAre: true,
  run: async (_values, argv) => {
    const main = join(rootDir, 'platform', options.workspace, 'src', 'main.ts');
    if (!existsSync(main))
      throw new CommandError(exitCodes.environment, `platform/${options.workspace} is not here`);
    const endpoints = process.env.PARLEY_ENDPOINTS ?? runFiles(contextFrom(process.env).runDir).endpoints;
    const exitCode = await runTool(process.execPath, [main, ...(options.before ?? []), ...argv], {
      signal: abortOnSignals(),
      env: {
        PARLEY_ENDPOINTS: endpoints,
        // The tool runs in the root: its paths still count from where the command was typed, with npm or without.
        INIT_CWD: typedPath('.'),
        npm_config_local_prefix: rootDir,
      },
    });
    return Object.values(exitCodes).find((known) => known === exitCode) ?? exitCodes.failed;
  },
});

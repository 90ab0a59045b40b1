import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from '../cli/command.ts';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { rootDir } from '../stack/context.ts';
import { runTool } from '../suite/run-tool.ts';

/** `npm run bench -- <benchmark>`: handed to platform/bench as it stands, --help included. */
export const benchCommand: Command = {
  name: 'bench',
  summary: 'measures a claim against a named rival, as a ratio',
  help: [],
  options: {},
  takesArgumentsAsTheyAre: true,
  run: async (_values, argv) => {
    const main = join(rootDir, 'platform', 'bench', 'src', 'main.ts');
    if (!existsSync(main)) throw new CommandError(exitCodes.environment, 'platform/bench is not here');
    const abort = new AbortController();
    const stop = (): void => {
      abort.abort();
    };
    process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
    const exitCode = await runTool(process.execPath, [main, ...argv], { signal: abort.signal });
    return Object.values(exitCodes).find((known) => known === exitCode) ?? exitCodes.failed;
  },
};

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from '../cli/command.ts';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { rootDir } from '../stack/context.ts';
import { runTool } from '../suite/run-tool.ts';
import { abortOnSignals } from './signals.ts';

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
    const exitCode = await runTool(process.execPath, [main, ...argv], { signal: abortOnSignals() });
    return Object.values(exitCodes).find((known) => known === exitCode) ?? exitCodes.failed;
  },
};

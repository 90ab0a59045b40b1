import type { Command } from '../cli/command.ts';
import { exitCodes } from '../cli/exit.ts';
import { outputTo } from '../cli/output.ts';
import type { EngineHost } from '../stack/engine-host.ts';
import { enginesFrom } from '../stack/context.ts';
import { abortOnSignals } from './signals.ts';

/** `npm run obtain`: brings the engines and checks all of what is there; a cache warmer, and what mends a damaged one. */
export const obtainCommandOn = (host: Pick<EngineHost, 'mend'>): Command => ({
  name: 'obtain',
  summary: 'brings the engines onto this machine without starting a stack; reads what is there and mends it',
  help: ['PARLEY_CACHE_DIR (~/.cache/parley/engines-3) is where they are kept, shared by all clones'],
  options: {},
  run: async () => {
    const output = outputTo(process.stdout);
    const say = (line: string): void => {
      output.line(line);
    };
    await host.mend(enginesFrom(process.env), { say, signal: abortOnSignals() });
    return exitCodes.ok;
  },
});

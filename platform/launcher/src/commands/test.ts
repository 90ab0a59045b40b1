import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringOption, type Command } from '../cli/command.ts';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { outputTo } from '../cli/output.ts';
import { closingLine, type Counts } from '../suite/counts.ts';
import { levels, runCheck, runLevel, type Level, type StageContext } from '../suite/stages.ts';

const chosenLevels = (only: string | undefined): readonly Level[] => {
  if (only === undefined) return levels;
  const level = levels.find((candidate) => candidate === only);
  if (level === undefined)
    throw new CommandError(exitCodes.usage, `--only must be one of ${levels.join(', ')}, not ${only}`);
  return [level];
};

const runStages = async (only: string | undefined, context: StageContext): Promise<Counts[]> => {
  const counts: Counts[] = [];
  if (only === undefined) counts.push(await runCheck(context));
  for (const level of chosenLevels(only)) {
    if (context.signal.aborted) break;
    counts.push(await runLevel(level, context));
  }
  return counts;
};

/** `npm test`: all that continuous integration runs. The last line of stdout is `N passed, N failed`. */
export const testCommand: Command = {
  name: 'test',
  summary: 'runs the checks, then unit, integration and end-to-end tests on a stack of their own',
  help: ['--only <unit|int|e2e>    one level, without the checks'],
  options: { only: { type: 'string' } },
  run: async (values) => {
    const only = stringOption(values, 'only');
    chosenLevels(only);
    const abort = new AbortController();
    const stop = (): void => {
      abort.abort();
    };
    process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
    const reportDir = await mkdtemp(join(tmpdir(), 'parley-test-'));
    try {
      const context = { output: outputTo(process.stdout), reportDir, signal: abort.signal };
      const counts = await runStages(only, context);
      if (abort.signal.aborted) counts.push({ passed: 0, failed: 1 }); // an interrupted run proves nothing
      process.stdout.write(`${closingLine(counts)}\n`);
      return counts.some((c) => c.failed > 0) ? exitCodes.failed : exitCodes.ok;
    } finally {
      await rm(reportDir, { recursive: true, force: true });
    }
  },
};

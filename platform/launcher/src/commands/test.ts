import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringOption, type Command } from '../cli/command.ts';
import { CommandError, exitCodes, messageOf } from '../cli/exit.ts';
import { outputTo } from '../cli/output.ts';
import type { EngineHost } from '../stack/engine-host.ts';
import { closingLine, type Counts } from '../suite/counts.ts';
import { withOwnStack } from '../suite/own-stack.ts';
import { levels, runCheck, runLevel, type Level, type StageContext } from '../suite/stages.ts';
import { abortOnSignals } from './signals.ts';

const chosenLevels = (only: string | undefined): readonly Level[] => {
  if (only === undefined) return levels;
  const level = levels.find((candidate) => candidate === only);
  if (level === undefined)
    throw new CommandError(exitCodes.usage, `--only must be one of ${levels.join(', ')}, not ${only}`);
  return [level];
};

const failure: Counts = { passed: 0, failed: 1 };

/** What the end-to-end level needs besides the stage's context. */
interface EndToEnd {
  readonly engines: EngineHost;
  /** Leave the run folder with its logs after the stack was stopped. */
  readonly keep: boolean;
}

/** The end-to-end tests on a stack of their own; one that does not start is one failure. */
const runEndToEnd = async (endToEnd: EndToEnd, context: StageContext): Promise<Counts> => {
  const { output, signal } = context;
  try {
    return await withOwnStack({ ...endToEnd, output, signal }, (env) => runLevel('e2e', context, env));
  } catch (error) {
    output.bad(`end-to-end tests: ${messageOf(error)}`);
    return failure;
  }
};

const runStages = async (
  only: string | undefined,
  endToEnd: EndToEnd,
  context: StageContext,
): Promise<Counts[]> => {
  const counts: Counts[] = [];
  if (only === undefined) counts.push(await runCheck(context));
  for (const level of chosenLevels(only)) {
    if (context.signal.aborted) break;
    if (level !== 'e2e') counts.push(await runLevel(level, context));
    else counts.push(await runEndToEnd(endToEnd, context));
  }
  return counts;
};

/** `npm test`: all that continuous integration runs. The last line of stdout is `N passed, N failed`. */
export const testCommandOn = (engines: EngineHost): Command => ({
  name: 'test',
  summary: 'runs the checks, then unit, integration and end-to-end tests on a stack of their own',
  help: [
    '--only <unit|int|e2e>    one level, without the checks',
    '--keep                   keep the run folder of the end-to-end stack, with its logs',
  ],
  options: { only: { type: 'string' }, keep: { type: 'boolean' } },
  run: async (values) => {
    const only = stringOption(values, 'only');
    chosenLevels(only);
    const signal = abortOnSignals();
    const reportDir = await mkdtemp(join(tmpdir(), 'parley-test-'));
    try {
      const context = { output: outputTo(process.stdout), reportDir, signal };
      const counts = await runStages(only, { engines, keep: values.keep === true }, context);
      if (signal.aborted) counts.push(failure); // an interrupted run proves nothing
      process.stdout.write(`${closingLine(counts)}\n`);
      return counts.some((c) => c.failed > 0) ? exitCodes.failed : exitCodes.ok;
    } finally {
      await rm(reportDir, { recursive: true, force: true });
    }
  },
});

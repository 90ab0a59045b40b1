import { join } from 'node:path';
import { engineNames } from '@parley/engines';
import { obtainBrowser } from '@parley/engines';
import { stringOption, type Command } from '../cli/command.ts';
import { CommandError, exitCodes, messageOf } from '../cli/exit.ts';
import { outputTo, type Output } from '../cli/output.ts';
import type { EngineHost } from '../stack/engine-host.ts';
import { closingLine, failedAs, writeReport, type Counts } from '../suite/counts.ts';
import { missingForLoopback, missingForMesh } from '../mesh/mesh.ts';
import { claimOwnBase, withOwnMesh, withOwnStack } from '../suite/own-stack.ts';
import { toldAtEnd } from '../suite/failed-tests.ts';
import { beginTestRun, removeAbandonedRuns } from '../suite/test-run.ts';
import { levels, runCheck, runLevel, type Level, type StageContext } from '../suite/stages.ts';
import { abortOnSignals } from './signals.ts';

const MINUTES_MAX = 1_440;

/** The signal of a run, with the end that `--within` sets it. */
const endOf = (within: string | undefined, signal: AbortSignal): AbortSignal => {
  if (within === undefined) return signal;
  const minutes = Number(within);
  if (!Number.isInteger(minutes) || minutes < 1 || minutes > MINUTES_MAX)
    throw new CommandError(exitCodes.usage, `--within takes 1 to ${MINUTES_MAX} minutes, not ${within}`);
  const over = new AbortController();
  const reason = new CommandError(exitCodes.failed, `the run took longer than ${minutes} min`);
  setTimeout(() => {
    over.abort(reason);
  }, minutes * 60_000).unref();
  return AbortSignal.any([signal, over.signal]);
};

const chosenLevels = (only: string | undefined): readonly Level[] => {
  if (only === undefined) return levels;
  const level = levels.find((candidate) => candidate === only);
  if (level === undefined)
    throw new CommandError(exitCodes.usage, `--only must be one of ${levels.join(', ')}, not ${only}`);
  return [level];
};

/** Says at once what the end of the run repeats. */
const failedStage = (line: string, output: Output): Counts => {
  output.bad(line);
  return failedAs(line);
};

/** What the levels with engines need besides the stage's context. */
interface WithEngines {
  readonly engines: EngineHost;
  /** Leave the run folder with its logs after the stack was stopped. */
  readonly keep: boolean;
}

/** Without a browser the tests of the console alone are skipped: they look for it themselves, and the ledger tells. */
const obtainBrowserIfPossible = async ({ output, run, signal }: StageContext): Promise<void> => {
  const say = (line: string): void => {
    output.line(line);
  };
  try {
    await obtainBrowser({ say, signal, marks: { TMPDIR: run.tmpDir } });
  } catch (error) {
    signal.throwIfAborted();
    output.bad(`tests of the console are skipped, and what they prove is not proven: ${messageOf(error)}`);
  }
};

/** The end-to-end tests on a stack of their own; one that does not start is one failure. */
const runEndToEnd = async (withEngines: WithEngines, context: StageContext): Promise<Counts> => {
  const { output, signal } = context;
  try {
    await obtainBrowserIfPossible(context);
    return await withOwnStack({ ...withEngines, output, signal }, (env) => runLevel('e2e', context, env));
  } catch (error) {
    return failedStage(`end-to-end tests: ${messageOf(error)}`, output);
  }
};

/** The tests of the mesh without its captured form: those of the loopback form run if that can, all others are skipped. */
const runLoopbackOnly = async (needs: string, context: StageContext): Promise<Counts> => {
  const { output, signal } = context;
  const say = (line: string): void => {
    output.line(line);
  };
  const loopbackNeeds = await missingForLoopback({ say, signal });
  if (loopbackNeeds !== undefined) output.bad(`those of its loopback form too: needs ${loopbackNeeds}`);
  const claim = await claimOwnBase();
  try {
    return await runLevel('mesh', context, {
      PARLEY_MESH_NEEDS: needs,
      PARLEY_PORT_BASE: String(claim.base),
      ...(loopbackNeeds === undefined ? {} : { PARLEY_LOOPBACK_NEEDS: loopbackNeeds }),
    });
  } finally {
    await claim.release();
  }
};

/**
 * The tests in a service mesh of their own. Where none can run they are skipped with what they need, and the ledger says
 * so; one that should start and does not is one failure.
 */
const runInMesh = async (withEngines: WithEngines, context: StageContext): Promise<Counts> => {
  const { output, signal } = context;
  const say = (line: string): void => {
    output.line(line);
  };
  try {
    const needs = await missingForMesh({ say, signal });
    if (needs !== undefined) {
      output.bad(`mesh tests are skipped, and what they prove is not proven: needs ${needs}`);
      return await runLoopbackOnly(needs, context);
    }
    return await withOwnMesh({ ...withEngines, output, signal }, (env) => runLevel('mesh', context, env));
  } catch (error) {
    return failedStage(`mesh tests: ${messageOf(error)}`, output);
  }
};

/**
 * The integration tests on the engines that they start themselves. Obtained before, as that may take minutes, and the
 * set-up of a test has a deadline; engines that cannot be obtained are one failure.
 */
const runIntegration = async (engines: EngineHost, context: StageContext): Promise<Counts> => {
  const { output, run, signal } = context;
  const say = (line: string): void => {
    output.line(line);
  };
  try {
    await engines.obtain(run.tmpDir, engineNames, { say, signal });
  } catch (error) {
    const failure = failedStage(`integration tests: ${messageOf(error)}`, output);
    await writeReport(join(run.reportDir, 'int.json'), failure); // the levels behind it tell how this one ended
    return failure;
  }
  return runLevel('int', context);
};

const runStages = async (
  only: string | undefined,
  withEngines: WithEngines,
  context: StageContext,
): Promise<Counts[]> => {
  const counts: Counts[] = [];
  if (only === undefined) counts.push(await runCheck(context));
  for (const level of chosenLevels(only)) {
    if (context.signal.aborted) break;
    if (level === 'unit') counts.push(await runLevel(level, context));
    else if (level === 'int') counts.push(await runIntegration(withEngines.engines, context));
    else if (level === 'e2e') counts.push(await runEndToEnd(withEngines, context));
    else counts.push(await runInMesh(withEngines, context));
  }
  return counts;
};

/** `npm test`: all that continuous integration runs. The last line of stdout is `N passed, N failed`. */
export const testCommandOn = (engines: EngineHost): Command => ({
  name: 'test',
  summary: 'runs the checks, then unit, integration, end-to-end and mesh tests, each on a stack of its own',
  help: [
    '--only <unit|int|e2e|mesh>    one level, without the checks',
    '--within <minutes>       end after so long; what was not reached by then has failed',
    '--keep                   keep the run folder of the end-to-end stack, with its logs, as .parley-kept',
  ],
  options: { only: { type: 'string' }, within: { type: 'string' }, keep: { type: 'boolean' } },
  run: async (values) => {
    const only = stringOption(values, 'only');
    chosenLevels(only);
    const signal = endOf(stringOption(values, 'within'), abortOnSignals());
    const output = outputTo(process.stdout);
    const leftovers = await removeAbandonedRuns();
    if (leftovers > 0) output.line(`ended ${leftovers} processes of a test run that was killed`);
    const run = await beginTestRun();
    let counts: Counts[];
    try {
      counts = await runStages(only, { engines, keep: values.keep === true }, { output, run, signal });
    } finally {
      await run.end();
    }
    // An interrupted run proves nothing, also when its stages ended well. Told first: only so many failures are told.
    if (signal.aborted) counts.unshift(failedAs(`interrupted: ${messageOf(signal.reason)}`));
    for (const line of toldAtEnd(counts.flatMap(({ failures }) => failures))) output.bad(line);
    process.stdout.write(`${closingLine(counts)}\n`);
    return counts.some((c) => c.failed > 0) ? exitCodes.failed : exitCodes.ok;
  },
});

import { join } from 'node:path';
import type { Output } from '../cli/output.ts';
import { failedAs, readCounts, writeReport, type Counts } from './counts.ts';
import { runTool } from './run-tool.ts';
import type { TestRun } from './test-run.ts';

/** The levels of tests, in the order in which they run: the cheap ones first. */
export const levels = ['unit', 'int', 'e2e', 'mesh'] as const;
export type Level = (typeof levels)[number];

/** What every stage of `npm test` shares. */
export interface StageContext {
  readonly output: Output;
  /** Its report folder takes vitest's JSON reports, and one of the same form for the checks. */
  readonly run: Pick<TestRun, 'reportDir' | 'tmpDir'>;
  readonly signal: AbortSignal;
}

/** What marks a stage and all that it starts as part of the run. */
const envOf = ({ reportDir, tmpDir }: StageContext['run']): NodeJS.ProcessEnv => ({
  PARLEY_TEST_REPORTS: reportDir,
  TMPDIR: tmpDir,
});

/** Format, lint, structure, dead code, contracts and types: one stage that passes or fails as a whole. */
export const runCheck = async ({ output, run, signal }: StageContext): Promise<Counts> => {
  output.line('check: format, lint, import table, dead code, contracts, types …');
  const exitCode = await runTool('npm', ['run', '-s', 'check:static'], { env: envOf(run), signal });
  if (exitCode === 0) output.good('check');
  else output.bad('check failed: npm run check:static');
  const counts =
    exitCode === 0 ? { passed: 1, failed: 0, failures: [] } : failedAs('check: npm run check:static');
  await writeReport(join(run.reportDir, 'check.json'), counts);
  return counts;
};

/**
 * Runs every test of one level with `env` and counts them. The tests find the reports of the stages before theirs in the
 * folder that PARLEY_TEST_REPORTS names: the ledger tells what continuous integration came to.
 */
export const runLevel = async (
  level: Level,
  { output, run, signal }: StageContext,
  env: NodeJS.ProcessEnv = {},
): Promise<Counts> => {
  output.line(`${level} tests …`);
  const report = join(run.reportDir, `${level}.json`);
  const args = [
    'run',
    '--project',
    `${level}*`,
    '--passWithNoTests',
    '--reporter=default',
    '--reporter=json',
  ];
  const exitCode = await runTool('vitest', [...args, `--outputFile.json=${report}`], {
    env: { ...envOf(run), ...env },
    signal,
  });
  return readCounts(report, exitCode);
};

import { join } from 'node:path';
import type { Output } from '../cli/output.ts';
import { readCounts, type Counts } from './counts.ts';
import { runTool } from './run-tool.ts';

/** The levels of tests, in the order in which they run: the cheap ones first. */
export const levels = ['unit', 'int', 'e2e'] as const;
export type Level = (typeof levels)[number];

/** What every stage of `npm test` shares. */
export interface StageContext {
  readonly output: Output;
  /** Where vitest's JSON reports go. */
  readonly reportDir: string;
  readonly signal: AbortSignal;
}

/** Format, lint, structure, dead code, contracts and types: one stage that passes or fails as a whole. */
export const runCheck = async ({ output, signal }: StageContext): Promise<Counts> => {
  output.line('check: format, lint, import table, dead code, contracts, types …');
  const exitCode = await runTool('npm', ['run', '-s', 'check:static'], { signal });
  if (exitCode === 0) output.good('check');
  else output.bad('check failed: npm run check:static');
  return exitCode === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
};

/** Runs every test of one level with `env` and counts them. */
export const runLevel = async (
  level: Level,
  { output, reportDir, signal }: StageContext,
  env: NodeJS.ProcessEnv = {},
): Promise<Counts> => {
  output.line(`${level} tests …`);
  const report = join(reportDir, `${level}.json`);
  const args = ['run', '--project', level, '--passWithNoTests', '--reporter=default', '--reporter=json'];
  const exitCode = await runTool('vitest', [...args, `--outputFile.json=${report}`], { env, signal });
  return readCounts(report, exitCode);
};

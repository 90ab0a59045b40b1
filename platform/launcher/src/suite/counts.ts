import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import { failedIn } from './failed-tests.ts';

/** How many tests, or stages without tests, passed and failed. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  /** What failed and why, a line each. */
  readonly failures: readonly string[];
}

/** A stage that failed as a whole. */
export const failedAs = (line: string): Counts => ({ passed: 0, failed: 1, failures: [line] });

const VitestReport = z.object({
  numPassedTests: z.int().nonnegative(),
  numFailedTests: z.int().nonnegative(),
});

/**
 * Counts of one test run from vitest's JSON report. A run that ended badly is never without a failure: no report, or
 * a bad exit with no failed test in it (a file that did not load, an unhandled error), counts as one failed.
 */
export const readCounts = async (reportPath: string, exitCode: number): Promise<Counts> => {
  const stage = basename(reportPath, '.json');
  const noReport = failedAs(
    `${stage}: it ended with code ${String(exitCode)} and left no report that can be read`,
  );
  let report: unknown;
  try {
    report = JSON.parse(await readFile(reportPath, 'utf8'));
  } catch {
    return noReport;
  }
  const parsed = VitestReport.safeParse(report);
  if (!parsed.success) return noReport;
  const { numPassedTests: passed, numFailedTests: failed } = parsed.data;
  const failures = failedIn(report);
  if (exitCode === 0 || failed > 0) return { passed, failed, failures };
  const unnamed = `${stage}: it ended with code ${String(exitCode)} although no test failed; its output says why`;
  return { passed, failed: 1, failures: failures.length > 0 ? failures : [unnamed] };
};

/** Writes the counts of a stage that is not vitest's in the form of its reports. */
export const writeReport = (path: string, { passed, failed }: Omit<Counts, 'failures'>): Promise<void> =>
  writeFile(path, JSON.stringify({ numPassedTests: passed, numFailedTests: failed, success: failed === 0 }));

/** The one line that ends `npm test`. */
export const closingLine = (counts: readonly Omit<Counts, 'failures'>[]): string => {
  const sum = (pick: (c: (typeof counts)[number]) => number): number =>
    counts.reduce((total, c) => total + pick(c), 0);
  return `${sum((c) => c.passed)} passed, ${sum((c) => c.failed)} failed`;
};

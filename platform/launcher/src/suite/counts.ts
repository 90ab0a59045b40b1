import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { failedIn } from './failed-tests.ts';

/** How many tests, or stages without tests, passed and failed. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  /** A line for each test that failed; of a stage that has none it is absent. */
  readonly failedTests?: readonly string[];
}

const VitestReport = z.object({
  numPassedTests: z.int().nonnegative(),
  numFailedTests: z.int().nonnegative(),
});

/**
 * Counts of one test run from vitest's JSON report. A run that ended badly is never without a failure: no report, or
 * a bad exit with no failed test in it (a file that did not load, an unhandled error), counts as one failed.
 */
export const readCounts = async (reportPath: string, exitCode: number): Promise<Counts> => {
  let report: unknown;
  try {
    report = JSON.parse(await readFile(reportPath, 'utf8'));
  } catch {
    return { passed: 0, failed: 1 };
  }
  const parsed = VitestReport.safeParse(report);
  if (!parsed.success) return { passed: 0, failed: 1 };
  const { numPassedTests: passed, numFailedTests: failed } = parsed.data;
  const failedTests = failedIn(report);
  return {
    passed,
    failed: exitCode !== 0 && failed === 0 ? 1 : failed,
    ...(failedTests.length > 0 ? { failedTests } : {}),
  };
};

/** Writes the counts of a stage that is not vitest's in the form of its reports. */
export const writeReport = (path: string, { passed, failed }: Counts): Promise<void> =>
  writeFile(path, JSON.stringify({ numPassedTests: passed, numFailedTests: failed, success: failed === 0 }));

/** The one line that ends `npm test`. */
export const closingLine = (counts: readonly Counts[]): string => {
  const sum = (pick: (c: Counts) => number): number => counts.reduce((total, c) => total + pick(c), 0);
  return `${sum((c) => c.passed)} passed, ${sum((c) => c.failed)} failed`;
};

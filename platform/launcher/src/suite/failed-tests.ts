import { relative } from 'node:path';
import { printableLine } from '@parley/cli';
import { z } from 'zod';
import { rootDir } from '../stack/context.ts';

/** More are in the output of their level. */
const TOLD_MAX = 20;
const LINE_CHARS_MAX = 300;

/** What vitest's JSON report says of a file and its tests. */
const Report = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string().default(''),
      assertionResults: z.array(
        z.object({
          fullName: z.string(),
          status: z.string(),
          failureMessages: z.array(z.string()).nullish(),
        }),
      ),
    }),
  ),
});

const lineOf = (path: string, title: string, message: string): string => {
  const [reason = ''] = message.split('\n');
  const line = `${path}: ${title}: ${reason}`.slice(0, LINE_CHARS_MAX);
  return printableLine(line).slice(0, LINE_CHARS_MAX); // an error quotes what it was given
};

/** A line for each test that failed, and for each file that failed outside of its tests, with the first line of its reason. */
export const failedIn = (report: unknown): readonly string[] => {
  const parsed = Report.safeParse(report);
  if (!parsed.success) return []; // its counts tell of it
  return parsed.data.testResults.flatMap(({ name, status, message, assertionResults }) => {
    const path = relative(rootDir, name);
    const failed = assertionResults.filter((test) => test.status === 'failed');
    const isItself = status === 'failed' && (failed.length === 0 || message !== '');
    return [
      ...failed.map(({ fullName, failureMessages }) => lineOf(path, fullName, failureMessages?.[0] ?? '')),
      ...(isItself ? [lineOf(path, 'the file itself', message)] : []),
    ];
  });
};

/** What is told of them at the end of a run, when the output of their levels is far above. */
export const toldAtEnd = (lines: readonly string[]): readonly string[] => {
  const more = lines.length - TOLD_MAX;
  return more > 0 ? [...lines.slice(0, TOLD_MAX), `and ${String(more)} more`] : lines;
};

import { escapeMarkup } from './escape.ts';
import type { TestRecord } from './merge.ts';

const testCase = ({ file, title, durationMs, state, errors }: TestRecord): string => {
  const open = `    <testcase classname="${escapeMarkup(file)}" name="${escapeMarkup(title)}" time="${(durationMs / 1000).toFixed(3)}">`;
  const failures = state === 'failed' && errors.length === 0 ? ['failed'] : errors;
  const inside =
    state === 'skipped'
      ? '<skipped/>'
      : failures
          .map(
            (error) =>
              `<failure message="${escapeMarkup(error.split('\n')[0] ?? '')}">${escapeMarkup(error)}</failure>`,
          )
          .join('');
  return `${open}${inside}</testcase>`;
};

/** The run as JUnit XML, one suite. */
export const toJunit = (tests: readonly TestRecord[]): string => {
  const count = (state: TestRecord['state']): number => tests.filter((test) => test.state === state).length;
  const seconds = tests.reduce((sum, test) => sum + test.durationMs, 0) / 1000;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<testsuites>',
    `  <testsuite name="e2e" tests="${tests.length}" failures="${count('failed')}" skipped="${count('skipped')}" time="${seconds.toFixed(3)}">`,
    ...tests.map(testCase),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
};

import { join } from 'node:path';
import { expect, it } from 'vitest';
import { rootDir } from '../stack/context.ts';
import { failedIn, toldAtEnd } from './failed-tests.ts';

const report = (name: string, tests: readonly object[], more: object = {}): object => ({
  testResults: [{ name: join(rootDir, name), status: 'passed', assertionResults: tests, ...more }],
});

const failed = (fullName: string, ...failureMessages: readonly string[]): object => ({
  fullName,
  status: 'failed',
  failureMessages,
});

it('names every test that failed, with the first line of its reason', () => {
  const passed = { fullName: 'adds', status: 'passed', failureMessages: [] };
  const counts = failed('it counts', 'Error: 1 is not 2\n  at a.int.spec.ts:3');
  expect(failedIn(report('a.int.spec.ts', [passed, counts, failed('it ends')]))).toEqual([
    'a.int.spec.ts: it counts: Error: 1 is not 2',
    'a.int.spec.ts: it ends: ',
  ]);
});

it('shows no control character of what an error quotes', () => {
  const [line] = failedIn(report('a.e2e.spec.ts', [failed('it ships', 'Error: \u001b[31mlate')]));
  expect(line).toMatch(/^a\.e2e\.spec\.ts: it ships: Error: [^\u001b]*late$/);
});

it('names a file that failed besides its tests', () => {
  const more = { status: 'failed', message: 'Error: afterAll' };
  expect(failedIn(report('a.int.spec.ts', [failed('it ends', 'Error: late')], more))).toEqual([
    'a.int.spec.ts: it ends: Error: late',
    'a.int.spec.ts: the file itself: Error: afterAll',
  ]);
});

it('has lines of a bounded length, whatever they quote', () => {
  const [line = ''] = failedIn(report('a.e2e.spec.ts', [failed('it ships', '\u001b'.repeat(1_000))]));
  expect(line.length).toBeLessThanOrEqual(300);
});

it('names a file that could not be run', () => {
  const broken = report('a.unit.spec.ts', [], { status: 'failed', message: 'SyntaxError: no' });
  expect(failedIn(broken)).toEqual(['a.unit.spec.ts: the file itself: SyntaxError: no']);
});

it.each([undefined, {}, { numPassedTests: 1, numFailedTests: 0, success: true }])(
  'has nothing to say of %j, which is not a report of tests',
  (other) => {
    expect(failedIn(other)).toEqual([]);
  },
);

it('tells twenty, and how many more there are', () => {
  const lines = Array.from({ length: 23 }, (_, n) => `test ${String(n)}`);
  expect(toldAtEnd(lines)).toEqual([...lines.slice(0, 20), 'and 3 more']);
  expect(toldAtEnd(lines.slice(0, 20))).toHaveLength(20);
});

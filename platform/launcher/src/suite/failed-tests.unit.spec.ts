import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { rootDir } from '../stack/context.ts';
import { writeReport } from './counts.ts';
import { failedTests } from './failed-tests.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-failed-tests-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const report = (level: string, files: readonly object[]): Promise<void> =>
  writeFile(join(folder, `${level}.json`), JSON.stringify({ testResults: files }));

const file = (name: string, tests: readonly object[], more: object = {}): object => ({
  name: join(rootDir, name),
  status: 'passed',
  assertionResults: tests,
  ...more,
});

const failed = (fullName: string, ...failureMessages: readonly string[]): object => ({
  fullName,
  status: 'failed',
  failureMessages,
});

it('names every failed test of every level, with the first line of its reason', async () => {
  await report('unit', [
    file('a.unit.spec.ts', [{ fullName: 'adds', status: 'passed', failureMessages: [] }]),
  ]);
  await report('int', [
    file('b.int.spec.ts', [failed('it counts', 'Error: 1 is not 2\n  at b.int.spec.ts:3')]),
  ]);
  await report('e2e', [file('c.e2e.spec.ts', [failed('it ships', 'Error: \u001b[31mlate')])]);
  await expect(failedTests(folder)).resolves.toEqual([
    'b.int.spec.ts: it counts: Error: 1 is not 2',
    expect.stringMatching(/^c\.e2e\.spec\.ts: it ships: Error: [^\u001b]*late$/),
  ]);
});

it('names a file that could not be run', async () => {
  await report('unit', [file('a.unit.spec.ts', [], { status: 'failed', message: 'SyntaxError: no' })]);
  await expect(failedTests(folder)).resolves.toEqual(['a.unit.spec.ts: the file itself: SyntaxError: no']);
});

it('names twenty, and says how many more there are', async () => {
  const tests = Array.from({ length: 23 }, (_, n) => failed(`test ${String(n)}`, 'Error'));
  await report('unit', [file('a.unit.spec.ts', tests)]);
  const lines = await failedTests(folder);
  expect(lines).toHaveLength(21);
  expect(lines.at(-1)).toBe('and 3 more');
});

it('has nothing to say of a level without a report, or with one that is not vitest’s', async () => {
  await writeFile(join(folder, 'unit.json'), '{');
  await writeReport(join(folder, 'int.json'), { passed: 0, failed: 1 });
  await expect(failedTests(folder)).resolves.toEqual([]);
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rootDir } from '../stack/context.ts';
import { closingLine, readCounts, writeReport } from './counts.ts';

describe('the counts of a test run', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-counts-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const report = async (content: string) => {
    const path = join(folder, 'report.json');
    await writeFile(path, content);
    return path;
  };

  it('are those of the report', async () => {
    const path = await report('{"numPassedTests": 7, "numFailedTests": 2}');
    await expect(readCounts(path, 1)).resolves.toEqual({ passed: 7, failed: 2, failures: [] });
  });

  it('name the tests that failed', async () => {
    const failed = { fullName: 'it adds', status: 'failed', failureMessages: ['Error: no'] };
    const testResults = [{ name: join(rootDir, 'a.spec.ts'), status: 'failed', assertionResults: [failed] }];
    const path = await report(JSON.stringify({ numPassedTests: 7, numFailedTests: 1, testResults }));
    const failures = ['a.spec.ts: it adds: Error: no'];
    await expect(readCounts(path, 1)).resolves.toEqual({ passed: 7, failed: 1, failures });
  });

  it.each(['', '{}', '{"numPassedTests": "many"}'])(
    'are one failure when the report is %j',
    async (content) => {
      const counts = await readCounts(await report(content), 0);
      expect(counts).toMatchObject({ passed: 0, failed: 1 });
      expect(counts.failures).toEqual([expect.stringMatching(/^report: .*no report/)]);
    },
  );

  it('hold a failure when the run ended badly although every test passed', async () => {
    const path = await report('{"numPassedTests": 7, "numFailedTests": 0}');
    const failures = [expect.stringMatching(/^report: it ended with code 1 although no test failed/)];
    await expect(readCounts(path, 1)).resolves.toEqual({ passed: 7, failed: 1, failures });
  });

  it('of a stage that is not a test run are read back as they were written', async () => {
    for (const counts of [
      { passed: 1, failed: 0 },
      { passed: 0, failed: 1 },
    ]) {
      const path = join(folder, 'check.json');
      await writeReport(path, counts);
      await expect(readCounts(path, counts.failed)).resolves.toMatchObject(counts);
    }
  });

  it('add up in the closing line', () => {
    expect(
      closingLine([
        { passed: 1, failed: 0 },
        { passed: 20, failed: 3 },
      ]),
    ).toBe('21 passed, 3 failed');
  });
});

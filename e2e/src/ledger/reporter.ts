import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Reporter, TestCase, TestModule, Vite, VitestPluginContext } from 'vitest/node';
import { z } from 'zod';
import { Evidence } from './evidence.ts';
import { toHtml } from './html.ts';
import { promises, requirements } from './ids.ts';
import { toJunit } from './junit.ts';
import { mergeLedger, type TestRecord } from './merge.ts';

const root = join(import.meta.dirname, '../../..');
const reportDir = join(root, 'e2e/report');

const textOf = ({ message, stack }: { readonly message: string; readonly stack?: string }): string =>
  stack ?? message;

const recordOf = (test: TestCase): TestRecord => {
  const result = test.result();
  const { state, errors = [] } = result;
  const meta = z.object({ evidence: z.array(Evidence).optional() }).parse(test.meta());
  return {
    file: relative(root, test.module.moduleId),
    title: test.name,
    state: state === 'pending' ? 'skipped' : state,
    durationMs: test.diagnostic()?.duration ?? 0,
    errors: errors.map(textOf),
    evidence: meta.evidence ?? [],
    ...(result.state === 'skipped' && result.note !== undefined ? { note: result.note } : {}),
  };
};

/** The tests of a file, and the file itself as a failed one when it could not be run as a whole. */
const recordsOf = (module: TestModule): TestRecord[] => {
  const tests = [...module.children.allTests()].map(recordOf);
  const errors = module.errors().map(textOf);
  const file = relative(root, module.moduleId);
  if (errors.length > 0)
    tests.push({ file, title: 'the file itself', state: 'failed', durationMs: 0, errors, evidence: [] });
  return tests;
};

/** The projects whose tests prove something, in the order in which `npm test` runs them, each on a stack of its own. */
const provingProjects = ['e2e', 'mesh'] as const;

/**
 * The tests of this run of vitest, together with those of the stages of the same `npm test` before it. Each stage leaves
 * its own for the next one in the folder that PARLEY_TEST_REPORTS names.
 */
const withEarlierStages = (modules: readonly TestModule[]): TestRecord[] => {
  const folder = process.env.PARLEY_TEST_REPORTS;
  return provingProjects.flatMap((name) => {
    const own = modules.filter(({ project }) => project.name === name).flatMap(recordsOf);
    if (folder === undefined) return own;
    const path = join(folder, `ledger-${name}.json`);
    if (own.length > 0) writeFileSync(path, JSON.stringify(own));
    // Written by this very reporter.
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as TestRecord[]) : [];
  });
};

const isProving = ({ project }: TestModule): boolean => provingProjects.some((name) => name === project.name);

/** Writes `ledger.json`, `junit.xml` and `index.html` of a run of the e2e or mesh project into `e2e/report`. */
export class LedgerReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    if (!modules.some(isProving)) return;
    const tests = withEarlierStages(modules);
    if (tests.length === 0) return;
    const ledger = mergeLedger({ requirements, promises }, tests);
    const generatedAt = new Date().toISOString();
    mkdirSync(reportDir, { recursive: true });
    writeFileSync(
      join(reportDir, 'ledger.json'),
      `${JSON.stringify({ generatedAt, ...ledger }, undefined, 2)}\n`,
    );
    writeFileSync(join(reportDir, 'junit.xml'), toJunit(tests));
    writeFileSync(join(reportDir, 'index.html'), toHtml(ledger, generatedAt));
    const kept = ledger.promises.filter(({ verdict }) => verdict === 'proven').length;
    process.stdout.write(
      `ledger: ${ledger.proven} of ${ledger.total} proven, and ${kept} of ${ledger.promises.length} promises beyond them; see e2e/report/index.html\n`,
    );
  }
}

/** Adds the ledger to a run's reporters, whichever the command line chose: evidence is never lost to a flag. */
export const ledger = (): Vite.Plugin & { configureVitest: (context: VitestPluginContext) => void } => ({
  name: 'parley:ledger',
  configureVitest: ({ vitest }) => {
    // A gateway of somebody else proves nothing of this project.
    if (process.env.PARLEY_GATEWAY_URL === undefined) vitest.config.reporters.push(new LedgerReporter());
  },
});

import { mkdirSync, writeFileSync } from 'node:fs';
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
  const { state, errors = [] } = test.result();
  const meta = z.object({ evidence: z.array(Evidence).optional() }).parse(test.meta());
  return {
    file: relative(root, test.module.moduleId),
    title: test.name,
    state: state === 'pending' ? 'skipped' : state,
    durationMs: test.diagnostic()?.duration ?? 0,
    errors: errors.map(textOf),
    evidence: meta.evidence ?? [],
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

/** Writes `ledger.json`, `junit.xml` and `index.html` of a run of the e2e project into `e2e/report`. */
export class LedgerReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.filter((module) => module.project.name === 'e2e').flatMap(recordsOf);
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
    vitest.config.reporters.push(new LedgerReporter());
  },
});

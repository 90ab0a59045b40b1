import { describe, expect, it } from 'vitest';
import { evidence, isEmptyEvidence } from './evidence.ts';
import { toHtml } from './html.ts';
import { idsIn, promises, requirements } from './ids.ts';
import { toJunit } from './junit.ts';
import { mergeLedger, type TestRecord } from './merge.ts';

const test = (over: Partial<TestRecord>): TestRecord => ({
  file: 'e2e/a.e2e.spec.ts',
  title: 'ships',
  state: 'passed',
  durationMs: 12,
  errors: [],
  evidence: [],
  ...over,
});
const asked = { requirements, promises };
const measured = [{ ids: ['US8.2'], data: { latencyMs: 12 } }];
const rowOf = (id: string, tests: TestRecord[]) =>
  mergeLedger(asked, tests).rows.find((row) => row.id === id);

describe('the requirements', () => {
  it('are the 71 of the specification, each once', () => {
    expect(requirements).toHaveLength(71);
    expect(new Set(requirements.map(({ id }) => id)).size).toBe(71);
    const count = (prefix: string) => requirements.filter(({ id }) => id.startsWith(prefix)).length;
    expect([count('US'), count('FR-'), count('SC-'), count('EC-')]).toEqual([31, 20, 14, 6]);
  });

  it('are apart from what is promised beyond them', () => {
    expect(promises.every(({ id }) => id.startsWith('P-'))).toBe(true);
    const ledger = mergeLedger(asked, [
      test({ title: 'ships (P-01)', evidence: [{ ids: ['P-01'], data: { n: 1 } }] }),
    ]);
    expect(ledger.proven).toBe(0);
    expect(ledger.promises.filter(({ verdict }) => verdict === 'proven').map(({ id }) => id)).toEqual([
      'P-01',
    ]);
  });

  it('are claimed in a title by their ids, and a claim of one that does not exist is refused', () => {
    expect(idsIn('ships (US8.2, FR-019, US8.2)')).toEqual(['US8.2', 'FR-019']);
    expect(() => idsIn('ships (US9.9)')).toThrow(RangeError);
  });
});

describe('a row', () => {
  it('is proven by a passing test that claims it and measured something', () => {
    const row = rowOf('US8.2', [test({ title: 'ships (US8.2)', evidence: measured })]);
    expect(row).toMatchObject({ verdict: 'proven', proofs: [{ evidence: [{ latencyMs: 12 }] }] });
    expect(mergeLedger(asked, []).proven).toBe(0);
  });

  it('that says of all tests that they pass is not proven when any of the run failed', () => {
    const proof = test({ title: 'all pass (SC-014)', evidence: [{ ids: ['SC-014'], data: { passed: 3 } }] });
    expect(rowOf('SC-014', [proof, test({})])?.verdict).toBe('proven');
    expect(rowOf('SC-014', [proof, test({ title: 'another', state: 'failed' })])).toMatchObject({
      verdict: 'not proven',
      reason: 'failed: another',
    });
  });

  it('that could only be skipped says what its test needs', () => {
    const skipped = test({ title: 'captures (US8.2)', state: 'skipped', note: 'needs root' });
    expect(rowOf('US8.2', [skipped])).toMatchObject({ verdict: 'not proven', reason: 'needs root' });
    const proof = test({ title: 'ships (US8.2)', evidence: measured });
    expect(rowOf('US8.2', [skipped, proof])?.verdict).toBe('proven');
  });

  it.each([
    [
      'by a failing test, whatever it measured',
      [test({ title: 'ships (US8.2)', state: 'failed', evidence: measured })],
    ],
    ['by a skipped test', [test({ title: 'ships (US8.2)', state: 'skipped', evidence: measured })]],
    ['by a passing test without evidence', [test({ title: 'ships (US8.2)' })]],
    [
      'by evidence without content',
      [test({ title: 'ships (US8.2)', evidence: [{ ids: ['US8.2'], data: { orders: [], at: null } }] })],
    ],
    [
      'by evidence for another id',
      [test({ title: 'ships (US8.2, FR-019)', evidence: [{ ids: ['FR-019'], data: { n: 1 } }] })],
    ],
    ['by a test that does not claim it', [test({ evidence: measured })]],
    [
      'when another test that claims it fails',
      [
        test({ title: 'ships (US8.2)', evidence: measured }),
        test({ title: 'ships again (US8.2)', state: 'failed' }),
      ],
    ],
  ] as [string, TestRecord[]][])('is not proven %s', (_case, tests) => {
    expect(rowOf('US8.2', tests)?.verdict).toBe('not proven');
    expect(rowOf('US8.2', tests)?.reason).toBeTruthy();
  });
});

describe('evidence', () => {
  it('is refused for an id that the title does not claim, and when nothing was measured (US1.1)', (context) => {
    expect(() => {
      evidence(context, ['US1.2'], { n: 1 });
    }).toThrow(/does not claim US1\.2/);
    expect(() => {
      evidence(context, ['US1.1'], { latencies: [] });
    }).toThrow(/nothing was measured/);
    expect(context.task.meta.evidence).toBeUndefined();
  });

  it('is empty when no field has content; zero and false are content', () => {
    expect(isEmptyEvidence({ a: '', b: null, c: { d: [] }, e: Number.NaN })).toBe(true);
    expect(isEmptyEvidence({ duplicates: 0 })).toBe(false);
    expect(isEmptyEvidence({ lost: false })).toBe(false);
  });
});

describe('the reports', () => {
  const hostile = test({
    title: 'ships <b> & "co" (US8.2)',
    state: 'failed',
    errors: ['expected <1>\u0000 & got "2"'],
    evidence: measured,
  });

  it('the page has a row for each requirement and no text of a test becomes markup', () => {
    const page = toHtml(mergeLedger(asked, [hostile]), 'now');
    expect(page.match(/<tr id="/g)).toHaveLength(71 + promises.length);
    expect(page).not.toContain('<b>');
    expect(page).not.toMatch(/<(script|link|img)|https?:/);
  });

  it('JUnit counts failures and escapes what they say', () => {
    const xml = toJunit([hostile, test({ state: 'skipped' }), test({})]);
    expect(xml).toContain('tests="3" failures="1" skipped="1"');
    expect(xml).toContain('expected &lt;1&gt; &amp; got &quot;2&quot;');
  });
});

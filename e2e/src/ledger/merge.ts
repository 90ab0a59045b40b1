import { isEmptyEvidence, type Evidence, type EvidenceData } from './evidence.ts';
import { idsIn, type Requirement } from './ids.ts';

/** One test of a run, whatever became of it. */
export interface TestRecord {
  /** Its file, from the clone's root. */
  readonly file: string;
  readonly title: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  readonly durationMs: number;
  readonly errors: readonly string[];
  readonly evidence: readonly Evidence[];
  /** Why it was skipped, when that was said. */
  readonly note?: string | undefined;
}

/** A passing test with what it measured for one requirement. */
export interface Proof {
  readonly file: string;
  readonly title: string;
  readonly durationMs: number;
  readonly evidence: readonly EvidenceData[];
}

export interface LedgerRow extends Requirement {
  readonly verdict: 'proven' | 'not proven';
  readonly proofs: readonly Proof[];
  /** Why it is not proven; absent when it is. */
  readonly reason?: string;
}

export interface Ledger {
  readonly proven: number;
  readonly total: number;
  readonly tests: { readonly passed: number; readonly failed: number; readonly skipped: number };
  /** One for each requirement of the specification. */
  readonly rows: readonly LedgerRow[];
  /** One for each promise beyond it. */
  readonly promises: readonly LedgerRow[];
}

/** What a ledger has rows for. */
export interface Asked {
  readonly requirements: readonly Requirement[];
  readonly promises: readonly Requirement[];
}

const proofOf = (id: string, test: TestRecord): Proof[] => {
  const measured = test.evidence
    .filter((entry) => entry.ids.includes(id) && !isEmptyEvidence(entry.data))
    .map((entry) => entry.data);
  const { file, title, durationMs } = test;
  return measured.length === 0 ? [] : [{ file, title, durationMs, evidence: measured }];
};

/** What says that all tests pass: a run in which any failed does not prove it. */
const ofWholeRun = new Set(['SC-014']);

const rowOf = (requirement: Requirement, tests: readonly TestRecord[]): LedgerRow => {
  const claiming = tests.filter((test) => idsIn(test.title).includes(requirement.id));
  const proofs = claiming
    .filter((test) => test.state === 'passed')
    .flatMap((test) => proofOf(requirement.id, test));
  const answerable = ofWholeRun.has(requirement.id) ? tests : claiming;
  const failed = answerable.filter((test) => test.state === 'failed');
  const notProven = (reason: string): LedgerRow => ({
    ...requirement,
    verdict: 'not proven',
    proofs,
    reason,
  });
  if (failed.length > 0) return notProven(`failed: ${failed.map((test) => test.title).join('; ')}`);
  const notes = new Set(claiming.flatMap(({ state, note }) => (state === 'skipped' && note ? [note] : [])));
  if (proofs.length === 0 && notes.size > 0) return notProven([...notes].join('; '));
  if (claiming.length === 0) return notProven('no test of this run claims it');
  if (proofs.length === 0) return notProven('no passing test recorded evidence');
  return { ...requirement, verdict: 'proven', proofs };
};

/**
 * The ledger of one run. A row is proven when a test that claims it passed and measured something, and no test that
 * claims it failed. Nothing else makes it so.
 */
export const mergeLedger = (asked: Asked, tests: readonly TestRecord[]): Ledger => {
  const rows = asked.requirements.map((requirement) => rowOf(requirement, tests));
  const count = (state: TestRecord['state']): number => tests.filter((test) => test.state === state).length;
  return {
    proven: rows.filter((row) => row.verdict === 'proven').length,
    total: rows.length,
    tests: { passed: count('passed'), failed: count('failed'), skipped: count('skipped') },
    rows,
    promises: asked.promises.map((promise) => rowOf(promise, tests)),
  };
};

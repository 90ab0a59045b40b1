import type { TestContext } from 'vitest';
import { z } from 'zod';
import { idsIn } from './ids.ts';

/** What a run measured: counts, ids, latencies with their sample size, positions. */
export type EvidenceData = Readonly<Record<string, unknown>>;

/** Evidence as it travels from the process that ran a test to the one that writes the ledger. */
export const Evidence = z.object({ ids: z.array(z.string()), data: z.record(z.string(), z.unknown()) });
export type Evidence = z.infer<typeof Evidence>;

declare module 'vitest' {
  interface TaskMeta {
    evidence?: Evidence[];
  }
}

const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === '' ||
  (typeof value === 'number' && Number.isNaN(value)) ||
  (typeof value === 'object' && Object.values(value).every(isEmpty));

/** Whether nothing was measured: no field, or fields without content only. */
export const isEmptyEvidence = (data: EvidenceData): boolean => isEmpty(data);

/**
 * Records what the running test measured, as evidence for ids that its title names. Whether it counts is decided when
 * the test has ended: only a test that passed proves anything.
 */
export const evidence = (context: TestContext, ids: readonly string[], data: EvidenceData): void => {
  const claimed = idsIn(context.task.name);
  const stranger = ids.find((id) => !claimed.includes(id));
  if (stranger !== undefined)
    throw new RangeError(`the title does not claim ${stranger}: ${context.task.name}`);
  if (isEmptyEvidence(data)) throw new RangeError(`nothing was measured for ${ids.join(', ')}`);
  // A copy, as it is now and as it will be read: whatever JSON cannot carry is no evidence.
  const copy = Evidence.parse(JSON.parse(JSON.stringify({ ids, data })));
  context.task.meta.evidence = [...(context.task.meta.evidence ?? []), copy];
};

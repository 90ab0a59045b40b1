import { isTaskCancelledError } from 'cockatiel';
import { CallFailure, type PolicyReason } from './failure.ts';

/** What has happened under a policy since the process started. */
export interface PolicyCounts {
  readonly calls: number;
  readonly attempts: number;
  readonly retries: number;
  readonly failedAttempts: number;
  /** Calls that the policy ended without an answer, by why. */
  readonly refused: Readonly<Record<PolicyReason, number>>;
  /** Retries that would have been worth it, and for which the budget had nothing left. */
  readonly retriesOverBudget: number;
  /** Calls answered by their fallback. */
  readonly fallbacks: number;
  /** Times that the breaker opened. */
  readonly opened: number;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

const LAST_FAILURES_MAX = 5;

/** Counts and last failures of one policy. */
export class PolicyRecord {
  readonly counts: Mutable<PolicyCounts> & { readonly refused: Record<PolicyReason, number> } = {
    calls: 0,
    attempts: 0,
    retries: 0,
    failedAttempts: 0,
    refused: { 'breaker-open': 0, 'bulkhead-full': 0, timeout: 0 },
    retriesOverBudget: 0,
    fallbacks: 0,
    opened: 0,
  };
  readonly lastFailures: { readonly at: string; readonly reason: string }[] = [];

  failed(error: unknown): void {
    this.counts.failedAttempts += 1;
    this.lastFailures.push({ at: new Date().toISOString(), reason: PolicyRecord.reasonOf(error) });
    if (this.lastFailures.length > LAST_FAILURES_MAX) this.lastFailures.shift();
  }

  /** Of a closed list: what an unexpected error says may be anything. */
  static reasonOf(error: unknown): string {
    if (error instanceof CallFailure) return error.message;
    return isTaskCancelledError(error) ? 'timeout' : 'error';
  }
}

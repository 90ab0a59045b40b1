import type { MiddlewareHandler } from 'hono';
import { remainingMs, requestContext } from './context.ts';
import type { KitErrorCode } from './errors.ts';
import type { ProblemFunction } from './http/problem.ts';

/**
 * Milliseconds that the caller will wait, as it sends the request: what `grpc-timeout` is to gRPC. A duration, not a
 * time, so that clocks need not agree.
 */
export const TIMEOUT_HEADER = 'x-parley-timeout-ms';

/** What the header says; no limit when it is absent or no number. */
export const timeoutMsFrom = (value: string | undefined): number =>
  value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : Number.POSITIVE_INFINITY;

/** The header of a request made now, whose answer is awaited for at most `limitMs`. */
export const timeoutHeaders = (limitMs: number): Readonly<Record<string, string>> => ({
  [TIMEOUT_HEADER]: String(Math.floor(remainingMs(limitMs))),
});

/** Work that was refused since the process started, because nobody waited for it any more. */
export interface LateRefusals {
  http: number;
  grpc: number;
}

/** True when the deadline of the request being worked on has passed. */
export const isLate = (): boolean =>
  (requestContext()?.deadlineAtMs ?? Number.POSITIVE_INFINITY) <= Date.now();

/** Answers DEADLINE_EXCEEDED, and counts, instead of beginning work that nobody waits for any more. */
export const refuseLate =
  (problem: ProblemFunction<KitErrorCode>, late: LateRefusals): MiddlewareHandler =>
  async (c, next) => {
    if (!isLate()) return next();
    late.http += 1;
    return problem(c, 'DEADLINE_EXCEEDED', {
      detail: 'The time of the request was over before work on it began.',
    });
  };

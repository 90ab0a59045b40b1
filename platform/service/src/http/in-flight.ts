import { metricDefinitions } from '@parley/contracts/telemetry';
import type { MiddlewareHandler } from 'hono';
import type { KitErrorCode } from '../errors.ts';
import { observeCount } from '../telemetry/instruments.ts';
import type { ProblemFunction } from './problem.ts';

/** HTTP requests whose body has arrived, and gRPC calls, that one process works on at the same time. Each holds at most a body of 64 KiB and a place in the log's queue. */
export const IN_FLIGHT_MAX = 2_000;

const RETRY_AFTER_SECONDS = 1;

/**
 * Answers OVERLOADED at once to what comes above `max` requests in flight, so that those under way keep their deadlines.
 * A request counts until its handler has ended, also when it was answered DEADLINE_EXCEEDED before.
 */
export const limitInFlight = (problem: ProblemFunction<KitErrorCode>, max: number): MiddlewareHandler => {
  let inFlight = 0;
  observeCount(metricDefinitions.httpServerActive, () => inFlight);
  return async (c, next) => {
    if (inFlight >= max) return problem(c, 'OVERLOADED', { retryAfterSeconds: RETRY_AFTER_SECONDS });
    inFlight += 1;
    try {
      await next();
      return undefined;
    } finally {
      inFlight -= 1;
    }
  };
};

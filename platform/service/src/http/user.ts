import type { Context, MiddlewareHandler } from 'hono';
import type { KitErrorCode } from '../errors.ts';
import type { ProblemFunction } from './problem.ts';

const USER_HEADER = 'x-user-id';
/** `userIdPattern` of the contracts, which nothing of the platform may import. */
const PLAUSIBLE = /^[\x21-\x7e]{1,128}$/;

/** The verified user that the gateway named; undefined when absent or not a plausible id. */
export const parseUser = (c: Context): string | undefined => {
  const value = c.req.header(USER_HEADER);
  return value !== undefined && PLAUSIBLE.test(value) ? value : undefined;
};

/** Lets only requests with a user pass; the handler reads it as `c.get('userId')`. */
export type UserGuard = MiddlewareHandler<{ Variables: { userId: string } }>;

/** Answers UNAUTHENTICATED to a request without a user, before anything else of it is looked at. */
export const userGuardOf =
  (problem: ProblemFunction<KitErrorCode>): UserGuard =>
  async (c, next) => {
    const userId = parseUser(c);
    if (userId === undefined) return problem(c, 'UNAUTHENTICATED');
    c.set('userId', userId);
    return next();
  };

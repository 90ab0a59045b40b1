import type { Context, Env, MiddlewareHandler } from 'hono';
import type { z } from 'zod';
import type { KitErrorCode } from '../errors.ts';
import type { ProblemFunction } from './problem.ts';
import { type UserGuard, userGuardOf } from './user.ts';

/** Parses one part of a request; `c.req.valid(target)` has the output of the schema. */
export type Validator<Target extends 'json' | 'query' | 'param', S extends z.ZodType> = MiddlewareHandler<
  Env,
  string,
  { in: Record<Target, z.input<S>>; out: Record<Target, z.output<S>> }
>;

const MAX_REPORTED = 20;

/** Makes the validators of one application. */
export const validatorsOf = (
  problem: ProblemFunction<KitErrorCode>,
): {
  body: <S extends z.ZodType>(schema: S) => Validator<'json', S>;
  query: <S extends z.ZodType>(schema: S) => Validator<'query', S>;
  param: <S extends z.ZodType>(schema: S) => Validator<'param', S>;
  user: UserGuard;
} => {
  const parse = (
    c: Context,
    target: 'json' | 'query' | 'param',
    schema: z.ZodType,
    value: unknown,
  ): Response | undefined => {
    const parsed = schema.safeParse(value);
    if (parsed.success) {
      c.req.addValidatedData(target, parsed.data as object);
      return undefined;
    }
    const errors = parsed.error.issues
      .slice(0, MAX_REPORTED)
      .map((issue) => ({ path: issue.path.map(String).join('.'), message: issue.message }));
    return problem(c, 'VALIDATION_FAILED', { errors });
  };
  return {
    body: (schema) => async (c, next) => {
      let value: unknown;
      try {
        value = JSON.parse(await c.req.text());
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        return problem(c, 'MALFORMED_REQUEST', { detail: 'The body is not JSON.' });
      }
      return parse(c, 'json', schema, value) ?? next();
    },
    query: (schema) => async (c, next) => parse(c, 'query', schema, c.req.query()) ?? next(),
    param: (schema) => async (c, next) => parse(c, 'param', schema, c.req.param()) ?? next(),
    user: userGuardOf(problem),
  };
};

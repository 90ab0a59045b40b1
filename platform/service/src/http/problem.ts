import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { currentContext } from '../context.ts';
import type { ErrorCatalog } from '../errors.ts';

/** What may be said about one occurrence. Never put an exception's message or a secret here. */
export interface ProblemDetails {
  readonly detail?: string | undefined;
  readonly errors?: readonly { readonly path: string; readonly message: string }[] | undefined;
  readonly orderId?: string | undefined;
  /** Sent as the Retry-After header. */
  readonly retryAfterSeconds?: number | undefined;
}

/** Answers with an RFC 9457 problem. */
export type ProblemFunction<Code extends string> = (
  c: Context,
  code: Code,
  details?: ProblemDetails,
) => Response;

/** The `problem` function of one catalog. */
export const problemsOf =
  <Code extends string>(catalog: ErrorCatalog<Code>): ProblemFunction<keyof ErrorCatalog<Code>> =>
  (c, code, details = {}) => {
    const definition = catalog[code];
    const { retryAfterSeconds, ...rest } = details;
    const body = {
      type: `urn:parley:problem:${code.toLowerCase().replaceAll('_', '-')}`,
      title: definition.title,
      status: definition.httpStatus,
      code,
      ...rest,
      correlationId: currentContext().correlationId,
    };
    if (retryAfterSeconds !== undefined) c.header('retry-after', String(Math.ceil(retryAfterSeconds)));
    c.set('problemCode', code);
    return c.body(JSON.stringify(body), definition.httpStatus as ContentfulStatusCode, {
      'content-type': 'application/problem+json',
    });
  };

import type { IncomingMessage } from 'node:http';
import { RequestError } from '@hono/node-server';
import type { Hono, MiddlewareHandler } from 'hono';
import type { KitErrorCode } from '../errors.ts';
import type { ProblemFunction } from './problem.ts';

/** What an application knows of a request that could not be made into one. */
const UNREADABLE = { unreadable: true } as const;

/** Methods of which no `Request` can be made. */
const UNMADE = new Set(['CONNECT', 'TRACE', 'TRACK']);

/**
 * The answer to what went wrong before or outside the application. A request without a host, or with a host or an
 * address that is none, would be answered with an empty 400: the application makes its problem, log line and span.
 */
export const answerUnreadable = (
  app: Hono,
  error: unknown,
  received?: Pick<IncomingMessage, 'method' | 'headers'>,
): Response | Promise<Response> => {
  if (!(error instanceof RequestError)) return new Response(null, { status: 500 });
  const headers = new Headers();
  for (const name of ['x-correlation-id', 'traceparent'])
    headers.set(name, String(received?.headers[name] ?? ''));
  const asked = received?.method ?? 'GET';
  const method = UNMADE.has(asked) ? 'GET' : asked;
  return app.fetch(new Request('http://unreadable/', { method, headers }), UNREADABLE);
};

/** Answers MALFORMED_REQUEST to such a request and lets every other one through. */
export const refuseUnreadable =
  (problem: ProblemFunction<KitErrorCode>): MiddlewareHandler =>
  async (c, next) => {
    const { unreadable } = (c.env ?? {}) as Partial<typeof UNREADABLE>; // of whoever called `fetch`, a test too
    if (unreadable !== true) return next();
    return problem(c, 'MALFORMED_REQUEST', { detail: 'The host or the address of the request is none.' });
  };

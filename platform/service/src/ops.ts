import { Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { runInContext } from './context.ts';
import type { KitErrorCode } from './errors.ts';
import { CORRELATION_HEADER } from './http/app.ts';
import { type JsonLines, LineAnswers } from './http/json-lines.ts';
import type { ProblemFunction } from './http/problem.ts';
import { refuseUnreadable } from './http/unreadable.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Logger } from './logging.ts';
import type { Readiness } from './readiness.ts';

/** A route of the operations server that some part of a service brings along, free of any HTTP library. */
export interface OpsRoute {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Parameters are named as `:name`. */
  readonly path: string;
  readonly answer: (request: {
    readonly params: Readonly<Record<string, string>>;
    readonly query: Readonly<Record<string, string>>;
    /** The body as JSON. Rejects when it is something else. */
    readonly json: () => Promise<unknown>;
  }) => Promise<
    | { readonly kind: 'ok'; readonly body: object }
    /** `body` as it is, for formats that are not JSON (Prometheus' text). */
    | { readonly kind: 'text'; readonly body: string; readonly contentType: string }
    /** One object a line, for as long as it takes. They are asked for in any case, whoever has gone, but for HEAD. */
    | { readonly kind: 'lines'; readonly lines: JsonLines }
    | { readonly kind: 'not-found'; readonly detail: string }
    | { readonly kind: 'invalid'; readonly detail: string }
    | { readonly kind: 'conflict'; readonly detail: string }
    | { readonly kind: 'not-ready'; readonly detail: string }
  >;
}

/** The operations server of one process. It listens before everything else and is never behind the gateway. */
export interface OpsApp {
  readonly app: Hono;
  /** May be called at any time before the server listens. */
  readonly add: (routes: readonly OpsRoute[]) => void;
  /** Resolves when no answer in lines is under way, false when one still was at the deadline. */
  readonly ended: (deadlineMs: number) => Promise<boolean>;
}

const BODY_BYTES_MAX = 64 * 1024;

/** A page in somebody's browser may not change anything: browsers name its origin on every such request. */
const refuseWebPages =
  (problem: ProblemFunction<KitErrorCode>): MiddlewareHandler =>
  async (c, next) =>
    c.req.method === 'GET' || c.req.method === 'HEAD' || c.req.header('origin') === undefined
      ? next()
      : problem(c, 'MALFORMED_REQUEST', { detail: 'Operations are not for web pages.' });

/** `/livez`: the event loop turns. `/readyz`: 200 when every check is ready, else 503; both with the detail as JSON. */
export const createOpsApp = (options: {
  readonly service: string;
  readonly instance: string;
  readonly version: string;
  readonly readiness: Readiness;
  readonly problem: ProblemFunction<KitErrorCode>;
  readonly logger: Logger;
  readonly lifecycle: Pick<Lifecycle, 'stopping'>;
}): OpsApp => {
  const { service, instance, version, readiness, problem, logger, lifecycle } = options;
  const lineAnswers = new LineAnswers({ stopping: lifecycle.stopping, logger });
  const app = new Hono();
  app.use('*', (c, next) => runInContext({ correlationId: c.req.header(CORRELATION_HEADER) }, next));
  app.use('*', refuseUnreadable(problem));
  app.use('*', refuseWebPages(problem));
  app.use('*', bodyLimit({ maxSize: BODY_BYTES_MAX, onError: (c) => problem(c, 'PAYLOAD_TOO_LARGE') }));
  app.notFound((c) => problem(c, 'ROUTE_NOT_FOUND'));
  app.onError((error, c) => {
    logger.error({ err: error }, 'an operations request failed unexpectedly');
    return problem(c, 'INTERNAL');
  });
  app.get('/livez', (c) => c.json({ service, instance, version, live: true }));
  app.get('/readyz', (c) => {
    const report = readiness.report();
    return c.json({ service, instance, version, ...report }, report.ready ? 200 : 503);
  });
  const add = (routes: readonly OpsRoute[]): void => {
    for (const { method, path, answer } of routes)
      app.on(method, path, async (c) => {
        const json = (): Promise<unknown> => c.req.json();
        const answered = await answer({ params: c.req.param(), query: c.req.query(), json });
        switch (answered.kind) {
          case 'ok':
            return c.json(answered.body);
          case 'text':
            return c.body(answered.body, 200, { 'content-type': answered.contentType });
          case 'lines':
            return lineAnswers.answer(c, answered.lines);
          case 'not-found':
            return problem(c, 'ROUTE_NOT_FOUND', { detail: answered.detail });
          case 'invalid':
            return problem(c, 'VALIDATION_FAILED', { detail: answered.detail });
          case 'conflict':
            return problem(c, 'CONFLICT', { detail: answered.detail });
          case 'not-ready':
            return problem(c, 'NOT_READY', { detail: answered.detail });
        }
      });
  };
  return { app, add, ended: (deadlineMs) => lineAnswers.ended(deadlineMs) };
};

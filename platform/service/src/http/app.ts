import {
  type Attributes,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  trace,
} from '@opentelemetry/api';
import { attribute } from '@parley/contracts/telemetry';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import { correlationIdFrom, runInContext } from '../context.ts';
import { type LateRefusals, refuseLate, TIMEOUT_HEADER, timeoutMsFrom } from '../deadline.ts';
import type { KitErrorCode } from '../errors.ts';
import { httpFaults } from '../faults/http.ts';
import type { FaultInjector } from '../faults/injector.ts';
import type { Logger } from '../logging.ts';
import { durations, secondsSince } from '../telemetry/instruments.ts';
import { tracer } from '../telemetry/telemetry.ts';
import { limitInFlight } from './in-flight.ts';
import type { ProblemFunction } from './problem.ts';
import { routeOf } from './route-name.ts';
import { refuseUnreadable } from './unreadable.ts';
import { parseUser } from './user.ts';

const MAX_BODY_BYTES = 64 * 1024;
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
export const CORRELATION_HEADER = 'x-correlation-id';

declare module 'hono' {
  interface ContextVariableMap {
    problemCode: string | undefined;
  }
}

export interface HttpAppOptions {
  readonly logger: Logger;
  readonly problem: ProblemFunction<KitErrorCode>;
  /** After it, or sooner when the request says so, a request is answered with DEADLINE_EXCEEDED and its signal aborts. */
  readonly deadlineMs: number;
  /** Requests worked on at the same time; above it they are answered OVERLOADED. */
  readonly inFlightMax: number;
  /** True while the process drains: answers then ask the client to close the connection. */
  readonly draining: () => boolean;
  /** In front of every route. */
  readonly guard: MiddlewareHandler;
  /** Counts what came too late to be worked on. */
  readonly late: LateRefusals;
  /** What goes wrong on purpose; undefined outside development. */
  readonly faults?: FaultInjector | undefined;
}

/** One by one: asked for all, the server makes Headers of them, which are read more slowly from then on. */
const getter: TextMapGetter<Context> = {
  keys: (c) => Object.keys(c.req.header()),
  get: (c, key) => c.req.header(key),
};

const finishSpan = (c: Context, span: Span, route: string | undefined): void => {
  span.updateName(route === undefined ? c.req.method : `${c.req.method} ${route}`);
  if (route !== undefined) span.setAttribute(attribute.httpRoute, route);
  span.setAttribute(attribute.httpStatusCode, c.res.status);
  const code = c.get('problemCode');
  if (code !== undefined) span.setAttribute(attribute.errorCode, code);
  if (c.res.status >= 500)
    span.setStatus({ code: SpanStatusCode.ERROR, message: code ?? String(c.res.status) });
  span.end();
};

/** A method that is not known is the client's text, and would make a series of its own. */
const methodOf = (c: Context): string => (METHODS.includes(c.req.method) ? c.req.method : '_OTHER');

const recordDuration = (c: Context, seconds: number, route: string | undefined): void => {
  const labels: Attributes = {
    [attribute.httpMethod]: methodOf(c),
    [attribute.httpStatusCode]: c.res.status,
  };
  if (route !== undefined) labels[attribute.httpRoute] = route;
  if (c.res.status >= 500) labels[attribute.errorType] = c.get('problemCode') ?? String(c.res.status);
  durations().httpServer.record(seconds, labels);
};

const accessLog = (
  c: Context,
  logger: Logger,
  values: { route: string | undefined; latencyMs: number },
): void => {
  const line = {
    method: c.req.method,
    // What no route knows is the client's text: bounded.
    route: values.route ?? c.req.path.slice(0, 200),
    status: c.res.status,
    code: c.get('problemCode'),
    latencyMs: Math.round(values.latencyMs * 10) / 10,
  };
  if (c.res.status >= 500) logger.warn(line, 'request');
  else logger.info(line, 'request');
};

/** Correlation id, server span, deadline, access log: around everything else. */
const observe =
  (options: HttpAppOptions): MiddlewareHandler =>
  async (c, next) => {
    const startedAtMs = performance.now();
    const correlationId = correlationIdFrom(c.req.header(CORRELATION_HEADER));
    const remote = propagation.extract(ROOT_CONTEXT, c, getter);
    const span = tracer().startSpan(
      c.req.method,
      {
        kind: SpanKind.SERVER,
        attributes: { [attribute.httpMethod]: c.req.method, [attribute.correlationId]: correlationId },
      },
      remote,
    );
    const abort = new AbortController();
    const deadlineMs = Math.min(options.deadlineMs, timeoutMsFrom(c.req.header(TIMEOUT_HEADER)));
    const values = {
      correlationId,
      userId: parseUser(c),
      signal: abort.signal,
      deadlineAtMs: Date.now() + deadlineMs,
    };
    await context.with(trace.setSpan(remote, span), () =>
      runInContext(values, async () => {
        const late = Promise.withResolvers<'late'>();
        const timer = setTimeout(late.resolve, deadlineMs, 'late');
        const outcome = await Promise.race([next(), late.promise]);
        clearTimeout(timer);
        if (outcome === 'late') {
          c.res = options.problem(c, 'DEADLINE_EXCEEDED');
          abort.abort(new Error('the deadline of the request has passed'));
        }
        c.res.headers.set(CORRELATION_HEADER, correlationId);
        if (options.draining()) c.res.headers.set('connection', 'close');
        const route = routeOf(c);
        finishSpan(c, span, route);
        recordDuration(c, secondsSince(startedAtMs), route);
        accessLog(c, options.logger, { route, latencyMs: performance.now() - startedAtMs });
      }),
    );
  };

const bringsBody = (c: Context): boolean =>
  c.req.header('transfer-encoding') !== undefined || Number(c.req.header('content-length') ?? 0) > 0;

const ENCODING_CHARS_MAX = 40;

/** A body is read as it is: one in an encoding is refused, and told which one. */
const identityOnly =
  (problem: ProblemFunction<KitErrorCode>): MiddlewareHandler =>
  async (c, next) => {
    const encoding = c.req.header('content-encoding')?.trim().toLowerCase() ?? 'identity';
    if (!bringsBody(c) || encoding === 'identity' || encoding === '') return next();
    c.header('accept-encoding', 'identity'); // RFC 9110, 15.5.16
    return problem(c, 'UNSUPPORTED_MEDIA_TYPE', {
      detail: `The body is encoded as ${encoding.slice(0, ENCODING_CHARS_MAX)}; it is read only without an encoding.`,
    });
  };

/** A request that brings a body must say that it is JSON. */
const jsonOnly =
  (problem: ProblemFunction<KitErrorCode>): MiddlewareHandler =>
  async (c, next) => {
    const type = c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase();
    if (bringsBody(c) && type !== 'application/json' && !(type ?? '').endsWith('+json')) {
      return problem(c, 'UNSUPPORTED_MEDIA_TYPE');
    }
    return next();
  };

/**
 * Goes on once the body is there as a whole (handlers take it from `c.req.text()`). A body that stops half-way must hold
 * no place of the requests in flight: once such a request was answered, at its deadline, the wait for it never ends.
 */
const wholeBody = (problem: ProblemFunction<KitErrorCode>): MiddlewareHandler => {
  const tooLarge = (c: Context): Response | Promise<Response> => problem(c, 'PAYLOAD_TOO_LARGE');
  const counted = bodyLimit({ maxSize: MAX_BODY_BYTES, onError: tooLarge });
  return async (c, next) => {
    if (!bringsBody(c)) return next();
    const read = async (): Promise<void> => {
      await c.req.text();
    };
    try {
      // Counting makes a whole Request with a stream of the body. One whose length is told, to which Node holds it, needs none.
      if (c.req.header('transfer-encoding') !== undefined) {
        const refused = await counted(c, read);
        if (refused instanceof Response) return refused;
      } else if (Number(c.req.header('content-length')) > MAX_BODY_BYTES) return await tooLarge(c);
      else await read();
    } catch {
      return problem(c, 'MALFORMED_REQUEST', { detail: 'The body did not arrive as a whole.' }); // the client is gone
    }
    return next();
  };
};

const allowedMethods = (app: Hono, path: string): readonly string[] =>
  METHODS.filter((method) =>
    app.router.match(method, path)[0].some(([[, route]]) => route.method === method),
  );

/** A Hono application with everything on that every edge of every service has. */
export const createHttpApp = (options: HttpAppOptions): Hono => {
  const { problem, logger } = options;
  const app = new Hono();
  app.use('*', observe(options));
  app.use('*', refuseUnreadable(problem));
  if (options.faults !== undefined) app.use('*', httpFaults(options.faults));
  app.use('*', identityOnly(problem));
  app.use('*', jsonOnly(problem));
  app.use('*', wholeBody(problem));
  app.use('*', limitInFlight(problem, options.inFlightMax));
  app.use('*', refuseLate(problem, options.late));
  app.use('*', options.guard);
  app.notFound((c) => {
    const allowed = allowedMethods(app, c.req.path);
    if (allowed.length === 0) return problem(c, 'ROUTE_NOT_FOUND');
    c.header('allow', allowed.join(', '));
    return problem(c, 'METHOD_NOT_ALLOWED');
  });
  app.onError((error, c) => {
    if (error instanceof HTTPException && error.status < 500) return problem(c, 'MALFORMED_REQUEST');
    logger.error({ err: error }, 'a request failed unexpectedly');
    return problem(c, 'INTERNAL');
  });
  return app;
};

import { errorCatalog, type ErrorCode } from '@parley/contracts/errors';
import { httpHeaders } from '@parley/contracts/headers';
import { z } from 'zod';
import { Method, Route, routes } from './routes.ts';
import { tokenPolicy } from './tokens.ts';

const Ms = z.int().positive();
const HeaderName = z.string().regex(/^[a-z][a-z0-9-]*$/, 'must be a header name in lower case');
const Origin = z.string().regex(/^https?:\/\/[a-z0-9.-]+(:\d{1,5})?$/, 'must be scheme://host[:port]');
const Code = z.enum(Object.keys(errorCatalog) as [ErrorCode, ...ErrorCode[]]);

/** What a gateway can have to say itself, each with the problem that it answers. */
const Errors = z.strictObject({
  /** Not HTTP, a path that hides its slashes, a header name with an underscore, an unknown transfer encoding. */
  malformedRequest: Code,
  tokenRefused: Code,
  routeUnknown: Code,
  methodRefused: Code,
  bodyTooLarge: Code,
  rateLimited: Code,
  /** Refused, reset, closed without an answer, or no instance at all. */
  backendUnreachable: Code,
  /** The route's timeout is over. */
  backendTimeout: Code,
  /** Anything else that the gateway could not do. */
  internal: Code,
});

/**
 * Everything that a gateway decides, without an engine's name in it. Times are milliseconds, sizes bytes. A renderer
 * turns it into the words of one engine and decides nothing itself.
 */
export const GatewayPolicy = z
  .strictObject({
    /** The first that takes a path decides. */
    routes: z.array(Route).min(1).readonly(),
    tokens: z.strictObject({
      issuer: z.string().min(1),
      audience: z.string().min(1),
      algorithm: z.enum(['RS256', 'ES256']),
      clockSkewSeconds: z.int().min(0).max(60),
    }),
    limits: z.strictObject({
      /**
       * A client is the subject of its valid token, else its address. Of any `windowSeconds` it gets at most `requests`
       * through, all of them at once if it likes, over all routes together.
       */
      client: z.strictObject({
        requests: z.int().min(1).max(100_000),
        windowSeconds: z.int().min(1).max(3600),
      }),
      /** How many clients are told apart within a window; any beyond share one allowance. */
      clientsMax: z.int().min(1).max(1_000_000),
    }),
    request: z.strictObject({
      /** The largest request body that passes: what the services accept. */
      bodyBytesMax: z.int().positive(),
      headersTimeoutMs: Ms,
      /** For a request to arrive whole. */
      arrivalTimeoutMs: Ms,
    }),
    connections: z.strictObject({
      /** A stream on which nothing moves. Longer than every route's timeout, which is the one meant to fire. */
      streamIdleTimeoutMs: Ms,
      clientIdleTimeoutMs: Ms,
      upstreamConnectTimeoutMs: Ms,
      /** Shorter than the services keep an idle connection, so that none is closed under a request on its way. */
      upstreamIdleTimeoutMs: Ms,
      /** To one upstream, requests that wait for one included: more than the streams that all its instances keep open. */
      upstreamConnectionsMax: z.int().min(1),
    }),
    /** Only when no connection could be made: it is certain that the service has seen nothing. */
    retry: z.strictObject({
      attemptsMax: z.int().min(0).max(5),
      backoffMs: Ms,
      backoffMaxMs: Ms,
      methods: z.array(Method).readonly(),
    }),
    traces: z.strictObject({
      /**
       * How many traces are begun of one route in any second of the clock; the requests beyond are served untraced. A
       * client that sends a trace context has decided for its requests itself (ParentBased in OpenTelemetry's words).
       */
      begunPerSecondMax: z.int().min(0).max(100_000),
    }),
    headers: z.strictObject({
      /** Only the gateway may speak in them: gone from every request before anything reads them. */
      stripped: z.array(HeaderName).readonly(),
    }),
    errors: Errors,
    /** What `Retry-After` says when a service cannot be reached, in seconds. */
    retryAfterSeconds: z.int().positive(),
    cors: z.strictObject({
      /** Whose pages may call; no other origin gets an answer to its preflight. */
      origins: z.array(Origin).readonly(),
      requestHeaders: z.array(HeaderName).readonly(),
      exposedHeaders: z.array(HeaderName).readonly(),
      maxAgeSeconds: z.int().positive(),
    }),
  })
  .superRefine(({ routes: given, connections }, context) => {
    const names = given.map(({ name }) => name);
    for (const name of names.filter((each, index) => names.indexOf(each) !== index))
      context.addIssue({ code: 'custom', path: ['routes'], message: `two routes are named ${name}` });
    for (const { name, timeoutMs } of given)
      if (timeoutMs >= connections.streamIdleTimeoutMs)
        context.addIssue({
          code: 'custom',
          path: ['connections', 'streamIdleTimeoutMs'],
          message: `must be longer than the timeout of the route ${name}`,
        });
  });
export type GatewayPolicy = z.infer<typeof GatewayPolicy>;

/** A gateway takes a B3 header before a traceparent, so a client's own would cut its trace in two. */
const b3Headers = ['b3', 'x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid', 'x-b3-sampled', 'x-b3-flags'];

/** Parley's own. */
export const gatewayPolicy: GatewayPolicy = GatewayPolicy.parse({
  routes,
  tokens: tokenPolicy,
  limits: { client: { requests: 100, windowSeconds: 1 }, clientsMax: 10_000 },
  request: { bodyBytesMax: 64 * 1024, headersTimeoutMs: 5_000, arrivalTimeoutMs: 15_000 },
  connections: {
    streamIdleTimeoutMs: 30_000,
    clientIdleTimeoutMs: 60_000,
    upstreamConnectTimeoutMs: 1_000,
    upstreamIdleTimeoutMs: 4_000,
    upstreamConnectionsMax: 16_384,
  },
  retry: { attemptsMax: 2, backoffMs: 25, backoffMaxMs: 100, methods: ['GET', 'HEAD'] },
  // As many as one client has requests: whoever is alone on a route, and within the limit, has every request traced.
  traces: { begunPerSecondMax: 100 },
  headers: { stripped: [httpHeaders.userId, 'x-user-roles', 'x-forwarded-host', 'x-real-ip', ...b3Headers] },
  errors: {
    malformedRequest: 'MALFORMED_REQUEST',
    tokenRefused: 'UNAUTHENTICATED',
    routeUnknown: 'ROUTE_NOT_FOUND',
    methodRefused: 'METHOD_NOT_ALLOWED',
    bodyTooLarge: 'PAYLOAD_TOO_LARGE',
    rateLimited: 'RATE_LIMITED',
    backendUnreachable: 'BACKEND_UNAVAILABLE',
    backendTimeout: 'DEADLINE_EXCEEDED',
    internal: 'INTERNAL',
  },
  retryAfterSeconds: 5,
  cors: {
    // Where a page under development is served from. A deployment names its own.
    origins: ['http://localhost:5173', 'http://127.0.0.1:5173'],
    requestHeaders: [
      'authorization',
      'content-type',
      httpHeaders.idempotencyKey,
      httpHeaders.correlationId,
      httpHeaders.atLeast,
      httpHeaders.prefer,
      httpHeaders.timeoutMs,
      httpHeaders.traceparent,
    ],
    exposedHeaders: [
      httpHeaders.correlationId,
      httpHeaders.position,
      'location',
      'retry-after',
      'ratelimit',
      'ratelimit-policy',
    ],
    maxAgeSeconds: 600,
  },
} satisfies z.input<typeof GatewayPolicy>);

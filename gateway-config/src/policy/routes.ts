import { z } from 'zod';
import { upstreamNames } from './upstreams.ts';

const Path = z
  .string()
  .regex(/^(\/[A-Za-z0-9._-]+)+$/, 'must be a normalised path without a slash at its end');

const Segment = z.string().regex(/^[a-z][a-z-]*$/, 'must be one segment of a path');

/** Which request paths a route takes, after normalisation (`//`, `/../` and `\` are resolved first). */
export const PathMatch = z.discriminatedUnion('kind', [
  /** This path and everything below it, by whole segments. */
  z.strictObject({ kind: z.literal('tree'), path: Path }).readonly(),
  /** Exactly one non-empty segment below this path, and behind it `then` if it is there. */
  z.strictObject({ kind: z.literal('item'), under: Path, then: Segment.optional() }).readonly(),
  /** These paths and no other: methods of a gRPC service, `/package.Service/Method`. */
  z.strictObject({ kind: z.literal('exact'), paths: z.array(Path).min(1).readonly() }).readonly(),
]);
export type PathMatch = z.infer<typeof PathMatch>;

export const Method = z.enum(['GET', 'HEAD', 'POST']);
export type Method = z.infer<typeof Method>;

/** One way from the outside to a service. */
export const Route = z
  .strictObject({
    /** Unique; the name of the server span and of the access log's line. */
    name: z.string().regex(/^[a-z][a-z0-9-]*$/),
    path: PathMatch,
    /** What else is asked of the path is METHOD_NOT_ALLOWED. */
    methods: z.array(Method).min(1).readonly(),
    /** Where it leads. To a gRPC port only calls are let through, and what is refused is answered in gRPC's words. */
    upstream: z.enum(upstreamNames),
    /** True: only with a valid token, whose subject the service finds in `x-user-id`. */
    authenticated: z.boolean(),
    /**
     * The whole exchange with the service, its retries included, from when the request is there as a whole. For a write
     * longer than the service's own deadline of 10 s; for a read longer than any wait for a position (4 s). The service is
     * told of it, or of what the client says when that is less: `x-parley-timeout-ms`, and `grpc-timeout` of a gRPC call,
     * which ends by it.
     */
    timeoutMs: z.int().positive(),
    /**
     * Present: an answer that goes on, such as server-sent events. It lasts this long at most, and `timeoutMs` is how long
     * nothing may come of it; a service sends something sooner.
     */
    streamMsMax: z.int().positive().optional(),
    /** True: a request may upgrade to a WebSocket, which is a stream. On any other route an upgrade is refused. */
    webSocket: z.literal(true).optional(),
  })
  .refine(({ webSocket, streamMsMax }) => webSocket === undefined || streamMsMax !== undefined, {
    path: ['streamMsMax'],
    message: 'is needed where a request may upgrade to a WebSocket',
  })
  .readonly();
export type Route = z.infer<typeof Route>;

const readTimeoutMs = 5_000;
/** Placing an order runs its fulfilment as far as it gets: two calls to other services and four appends. */
const orderTimeoutMs = 15_000;

/**
 * Everything that is reachable from outside, and nothing else is: a path without a route is ROUTE_NOT_FOUND. Payments,
 * notifications and shipments can be read by order id only; they are made inside.
 */
export const routes: readonly Route[] = [
  {
    name: 'order-events',
    path: { kind: 'item', under: '/api/v1/orders', then: 'events' },
    methods: ['GET', 'HEAD'],
    upstream: 'order',
    authenticated: true,
    timeoutMs: 15_000, // three times as long as the service is ever silent
    streamMsMax: 600_000,
  },
  {
    name: 'orders',
    path: { kind: 'tree', path: '/api/v1/orders' },
    methods: ['GET', 'HEAD', 'POST'],
    upstream: 'order',
    authenticated: true,
    timeoutMs: orderTimeoutMs,
  },
  {
    name: 'products',
    path: { kind: 'tree', path: '/api/v1/products' },
    methods: ['GET', 'HEAD'],
    upstream: 'product',
    authenticated: false,
    timeoutMs: readTimeoutMs,
  },
  {
    // Read methods only: reserving and releasing stock is internal to the order service.
    name: 'products-grpc',
    path: {
      kind: 'exact',
      paths: [
        '/parley.product.v1.ProductService/GetProduct',
        '/parley.product.v1.ProductService/CheckInventory',
      ],
    },
    methods: ['POST'],
    upstream: 'product-grpc',
    authenticated: true,
    timeoutMs: readTimeoutMs,
  },
  {
    name: 'graphql',
    path: { kind: 'tree', path: '/graphql' },
    methods: ['GET', 'POST'],
    upstream: 'product',
    authenticated: false,
    timeoutMs: readTimeoutMs,
  },
  {
    name: 'payment',
    path: { kind: 'item', under: '/api/v1/payments' },
    methods: ['GET', 'HEAD'],
    upstream: 'payment',
    authenticated: true,
    timeoutMs: readTimeoutMs,
  },
  {
    name: 'notifications',
    path: { kind: 'item', under: '/api/v1/notifications' },
    methods: ['GET', 'HEAD'],
    upstream: 'notification',
    authenticated: true,
    timeoutMs: readTimeoutMs,
  },
  {
    name: 'shipment',
    path: { kind: 'item', under: '/api/v1/shipments' },
    methods: ['GET', 'HEAD'],
    upstream: 'shipping',
    authenticated: true,
    timeoutMs: readTimeoutMs,
  },
];

import { serviceNames } from '@parley/contracts/endpoints';
import { z } from 'zod';

const Path = z
  .string()
  .regex(/^(\/[A-Za-z0-9._-]+)+$/, 'must be a normalised path without a slash at its end');

/** Which request paths a route takes, after normalisation (`//`, `/../` and `\` are resolved first). */
export const PathMatch = z.discriminatedUnion('kind', [
  /** This path and everything below it, by whole segments. */
  z.strictObject({ kind: z.literal('tree'), path: Path }).readonly(),
  /** Exactly one non-empty segment below this path. */
  z.strictObject({ kind: z.literal('item'), under: Path }).readonly(),
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
    service: z.enum(serviceNames),
    /** True: only with a valid token, whose subject the service finds in `x-user-id`. */
    authenticated: z.boolean(),
    /**
     * The whole exchange with the service, its retries included, from when the request is there as a whole. For a write
     * longer than the service's own deadline of 10 s; for a read longer than any wait for a position (4 s). The service is
     * told of it, or of what the client says when that is less: `x-parley-timeout-ms`.
     */
    timeoutMs: z.int().positive(),
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
    name: 'orders',
    path: { kind: 'tree', path: '/api/v1/orders' },
    methods: ['GET', 'HEAD', 'POST'],
    service: 'order',
    authenticated: true,
    timeoutMs: orderTimeoutMs,
  },
  {
    name: 'products',
    path: { kind: 'tree', path: '/api/v1/products' },
    methods: ['GET', 'HEAD'],
    service: 'product',
    authenticated: false,
    timeoutMs: readTimeoutMs,
  },
  {
    name: 'graphql',
    path: { kind: 'tree', path: '/graphql' },
    methods: ['GET', 'POST'],
    service: 'product',
    authenticated: false,
    timeoutMs: readTimeoutMs,
  },
  {
    name: 'payment',
    path: { kind: 'item', under: '/api/v1/payments' },
    methods: ['GET', 'HEAD'],
    service: 'payment',
    authenticated: true,
    timeoutMs: readTimeoutMs,
  },
  {
    name: 'notifications',
    path: { kind: 'item', under: '/api/v1/notifications' },
    methods: ['GET', 'HEAD'],
    service: 'notification',
    authenticated: true,
    timeoutMs: readTimeoutMs,
  },
  {
    name: 'shipment',
    path: { kind: 'item', under: '/api/v1/shipments' },
    methods: ['GET', 'HEAD'],
    service: 'shipping',
    authenticated: true,
    timeoutMs: readTimeoutMs,
  },
];

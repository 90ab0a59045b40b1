import type { ServiceName } from '@parley/contracts/endpoints';

/** Which request paths a route takes, after normalisation (`//`, `/../` and `\` are resolved first). */
export type PathMatch =
  /** This path and everything below it, by whole segments. */
  | { readonly kind: 'tree'; readonly path: string }
  /** Exactly one non-empty segment below this path. */
  | { readonly kind: 'item'; readonly under: string };

export type Method = 'GET' | 'HEAD' | 'POST';

/** One way from the outside to a service. */
export interface Route {
  /** Unique; the name of the server span and of the access log's line. */
  readonly name: string;
  readonly path: PathMatch;
  /** What else is asked of the path is METHOD_NOT_ALLOWED. */
  readonly methods: readonly Method[];
  readonly service: ServiceName;
  /** True: only with a valid token, whose subject the service finds in `x-user-id`. */
  readonly authenticated: boolean;
  /**
   * The whole exchange with the service, its retries included, from when the request is there as a whole. For a write
   * longer than the service's own deadline of 10 s; for a read longer than any wait for a position (4 s).
   */
  readonly timeoutMs: number;
}

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
    methods: ['GET', 'POST'],
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
    methods: ['GET'],
    service: 'payment',
    authenticated: true,
    timeoutMs: readTimeoutMs,
  },
  {
    name: 'notifications',
    path: { kind: 'item', under: '/api/v1/notifications' },
    methods: ['GET'],
    service: 'notification',
    authenticated: true,
    timeoutMs: readTimeoutMs,
  },
  {
    name: 'shipment',
    path: { kind: 'item', under: '/api/v1/shipments' },
    methods: ['GET'],
    service: 'shipping',
    authenticated: true,
    timeoutMs: readTimeoutMs,
  },
];

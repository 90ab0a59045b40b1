import { randomUUID } from 'node:crypto';
import type { MethodDefinition } from '@grpc/grpc-js';
import { ProductServiceService } from '@parley/contracts/grpc/product';
import { httpHeaders } from '@parley/contracts/headers';
import {
  NotificationList,
  OrderPage,
  OrderResource,
  PaymentResource,
  ProductPage,
  ProductResource,
  ShipmentResource,
} from '@parley/contracts/rest';
import { z } from 'zod';
import { Customer, type Answer, type Ask } from './client.ts';
import type { GrpcCaller } from './grpc-caller.ts';
import { mintToken, type StackUnderTest } from './stack.ts';

/** Of the seed: plenty. */
const productId = 'wool-door-stop';
const shippedDeadlineMs = 120_000;

/** What only the right service answers: its own resource, about the thing that was asked for. */
export interface Probe {
  /** What takes it, as the policy names it; null: nothing does. */
  readonly route: string | null;
  readonly service: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly expected: z.ZodType;
  readonly send: (correlationId: string) => Promise<Pick<Answer, 'status' | 'body'>>;
}

/** A customer, who has placed this order by this wish. */
export interface Ordered {
  readonly customer: Customer;
  readonly orderId: string;
  readonly wish: { readonly productId: string; readonly quantity: number; readonly idempotencyKey: string };
  readonly authorization: string;
}

/** The calls of gRPC, each with what only the product service answers. */
const callsOf = ({ authorization }: Ordered, grpc: GrpcCaller): readonly Probe[] => {
  const probe = <Request, Response>(
    method: MethodDefinition<Request, Response>,
    request: Request,
    expected: z.ZodType,
  ): Probe => ({
    route: 'products-grpc',
    service: 'product',
    method: 'POST',
    path: method.path,
    status: 200,
    expected,
    send: (correlationId) =>
      grpc.call(method, request, { authorization, correlationId }).then(
        (body) => ({ status: 200, body }),
        (error: unknown) => ({ status: 0, body: String(error) }),
      ),
  });
  const { getProduct, checkInventory } = ProductServiceService;
  const product = z.looseObject({ product: z.looseObject({ productId: z.literal(productId) }) });
  return [
    probe(getProduct, { productId }, product),
    probe(checkInventory, { productId, quantity: 1 }, z.looseObject({ inStock: z.literal(true) })),
  ];
};

/** A request over HTTP. `{orderId}` in its path is the customer's order. */
type Given = Pick<Probe, 'route' | 'service' | 'path' | 'expected'> &
  Partial<Pick<Probe, 'method' | 'status'>> &
  Pick<Ask, 'headers' | 'body'> & { readonly query?: string };

const probeOf = (
  { customer, orderId }: Ordered,
  { method = 'GET', status = 200, query = '', headers = {}, body, ...rest }: Given,
): Probe => ({
  ...rest,
  method,
  status,
  send: (correlationId) =>
    customer.ask(`${rest.path.replace('{orderId}', orderId)}${query}`, {
      method,
      headers: { ...headers, [httpHeaders.correlationId]: correlationId },
      body,
    }),
});

const pageOf = (schema: z.ZodType, limit: number): z.ZodType =>
  schema.refine((page) => z.object({ items: z.array(z.unknown()).max(limit) }).safeParse(page).success);

const ordersOf = ({
  orderId,
  wish,
}: Ordered): { readonly reads: readonly Given[]; readonly place: Given } => {
  const [route, service, path] = ['orders', 'order', '/api/v1/orders'] as const;
  const order = OrderResource.and(z.looseObject({ orderId: z.literal(orderId) }));
  const events = z
    .string()
    .transform((text) => JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? 'null') as unknown)
    .pipe(order);
  return {
    reads: [
      ...[1, 5, 50].map((limit) => ({
        ...{ route, service, path },
        query: `?limit=${limit}`,
        expected: pageOf(OrderPage, limit),
      })),
      { route, service, path: `${path}/{orderId}`, expected: order },
      { route: 'order-events', service, path: `${path}/{orderId}/events`, expected: events },
    ],
    // The same wish under the same key is the same order.
    place: {
      ...{ route, service, path },
      method: 'POST',
      headers: { [httpHeaders.idempotencyKey]: wish.idempotencyKey },
      body: { productId: wish.productId, quantity: wish.quantity },
      status: 201,
      expected: order,
    },
  };
};

const productReads = (): readonly Given[] => {
  const [route, service] = ['products', 'product'] as const;
  const product = ProductResource.and(z.looseObject({ productId: z.literal(productId) }));
  return [
    ...[1, 2, 20].map((limit) => ({
      ...{ route, service, path: '/api/v1/products' },
      query: `?limit=${limit}`,
      expected: pageOf(ProductPage, limit),
    })),
    { route, service, path: `/api/v1/products/${productId}`, expected: product },
    // Normalised on the way, so it leads to the same place.
    { route, service, path: `/api/v1//products/${productId}`, expected: product },
  ];
};

const itemReads = ({ orderId }: Ordered): readonly Given[] => {
  const about = (schema: z.ZodType): z.ZodType => schema.and(z.looseObject({ orderId: z.literal(orderId) }));
  const read = (route: string, service: string, path: string, expected: z.ZodType): Given => ({
    ...{ route, service, expected },
    path: `${path}/{orderId}`,
  });
  const notices = NotificationList.refine(({ items }) => items.every((item) => item.orderId === orderId));
  return [
    read('payment', 'payment', '/api/v1/payments', about(PaymentResource)),
    read('notifications', 'notification', '/api/v1/notifications', notices),
    read('shipment', 'shipping', '/api/v1/shipments', about(ShipmentResource)),
  ];
};

const queries = (): readonly Given[] => {
  const query = `{ product(productId: "${productId}") { productId } }`;
  const expected = z.strictObject({
    data: z.strictObject({ product: z.strictObject({ productId: z.literal(productId) }) }),
  });
  const graphql = { route: 'graphql', service: 'product', path: '/graphql', expected };
  return [
    { ...graphql, query: `?query=${encodeURIComponent(query)}` },
    { ...graphql, method: 'POST', body: { query } },
  ];
};

/** Paths near a route that lead nowhere, and methods that a route has not. */
const refusals = (): readonly Given[] => {
  const service = 'gateway';
  const refused = (code: string): z.ZodType => z.looseObject({ code: z.literal(code) });
  const [unknown, method] = [refused('ROUTE_NOT_FOUND'), refused('METHOD_NOT_ALLOWED')];
  return [
    ...['/api/v1/order', '/api/v1/ordersx', '/api/v1/payments', '/api/v1/payments/{orderId}/x', '/livez'].map(
      (path) => ({ route: null, service, path, expected: unknown, status: 404 }),
    ),
    ...Object.entries({
      payment: '/api/v1/payments/{orderId}',
      products: `/api/v1/products/${productId}`,
    }).map(([name, path]) => ({
      route: `${name} method`,
      ...{ service, path, expected: method, method: 'POST', body: {}, status: 405 },
    })),
  ];
};

/** The generated table: every route with its query, path and method variants, for the things of one customer. */
export const probesOf = (ordered: Ordered, grpc: GrpcCaller): readonly Probe[] => {
  const { reads, place } = ordersOf(ordered);
  const ofHttp = [
    // Each is asked for without its body, too.
    ...[...reads, ...productReads(), ...itemReads(ordered)].flatMap((read): Given[] => [
      read,
      { ...read, method: 'HEAD', expected: z.literal('') },
    ]),
    place,
    ...queries(),
    ...refusals(),
  ];
  return [...ofHttp.map((given) => probeOf(ordered, given)), ...callsOf(ordered, grpc)];
};

/** One who has an order of which every service knows. */
export const whoHasOrdered = async (stack: StackUnderTest): Promise<Ordered> => {
  const customer = await Customer.of(stack, 'routes');
  const wish = { productId, quantity: 1, idempotencyKey: randomUUID() };
  const { orderId } = await customer.ordered(wish);
  await customer.status(orderId, 'SHIPPED', shippedDeadlineMs);
  return {
    customer,
    orderId,
    wish,
    authorization: `Bearer ${await mintToken(stack, { sub: customer.sub })}`,
  };
};

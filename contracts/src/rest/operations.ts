import { z } from 'zod';
import type { ServiceName } from '../endpoints.ts';
import type { ErrorCode } from '../errors.ts';
import { httpHeaders, idempotencyKeyPattern } from '../headers.ts';
import { OrderId, PageQuery, ProductId } from './common.ts';
import { GraphqlRequest, GraphqlResponse } from './graphql.ts';
import { NotificationList } from './notifications.ts';
import { OrderPage, OrderResource, OrderStatus, PlaceOrderRequest } from './orders.ts';
import { PaymentRequest, PaymentResource, VoidedPayment } from './payments.ts';
import { InventoryQuery, InventoryResource, ProductPage, ProductQuery, ProductResource } from './products.ts';
import { ShipmentResource } from './shipments.ts';

/** A successful answer. */
export interface Answer {
  readonly description: string;
  /** Absent: a page for people (text/html), or nothing. */
  readonly body?: z.ZodType;
  /** True: server-sent events, whose data is the body. */
  readonly events?: true;
}

/** One REST operation: what `openapi.json` says of it, and what the gateway's routes are compared with. */
export interface Operation {
  /** Unique. */
  readonly operationId: string;
  readonly method: 'get' | 'post';
  /** With `{parameter}` for every part that varies. */
  readonly path: string;
  readonly service: ServiceName;
  readonly summary: string;
  /** `customer`: through the gateway with a token; `public`: without; `internal`: from service to service only. */
  readonly access: 'customer' | 'public' | 'internal';
  readonly params?: Readonly<Record<string, z.ZodType>>;
  readonly query?: z.ZodObject;
  readonly headers?: Readonly<Record<string, z.ZodType>>;
  readonly body?: z.ZodType;
  /** True: it answers with the log position of what it wrote (see consistency.ts). */
  readonly writes?: true;
  /** By HTTP status. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** What the operation itself refuses; what every operation can answer comes on top (`commonErrors`). */
  readonly errors: readonly ErrorCode[];
  /** Those of them that are about something that was recorded: they answer with its log position, too. */
  readonly recordedErrors?: readonly ErrorCode[];
}

/** What any operation can answer, from its service's edge. */
export const commonErrors = [
  'MALFORMED_REQUEST',
  'VALIDATION_FAILED',
  'METHOD_NOT_ALLOWED',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'INTERNAL',
  'NOT_READY',
  'OVERLOADED',
  'DEADLINE_EXCEEDED',
  'NOT_YET_CONSISTENT',
] as const satisfies readonly ErrorCode[];

/** What the gateway answers by itself, on top. */
export const gatewayErrors = ['BACKEND_UNAVAILABLE'] as const satisfies readonly ErrorCode[];

const logErrors = ['CONFLICT', 'LOG_UNAVAILABLE', 'OVERLOADED'] as const satisfies readonly ErrorCode[];

/** Every REST operation of every service, by path. */
export const operations: readonly Operation[] = [
  {
    operationId: 'placeOrder',
    method: 'post',
    path: '/api/v1/orders',
    service: 'order',
    summary: 'Places an order and brings it as far as it gets within the deadline.',
    access: 'customer',
    headers: { [httpHeaders.idempotencyKey]: z.string().regex(idempotencyKeyPattern).optional() },
    body: PlaceOrderRequest,
    writes: true,
    answers: {
      201: { description: 'The order is paid.', body: OrderResource },
      202: {
        description: 'The order is recorded and goes on later; `notice` says why.',
        body: OrderResource,
      },
    },
    errors: ['PRODUCT_NOT_FOUND', 'STOCK_SHORT', 'PAYMENT_DECLINED', 'IDEMPOTENCY_KEY_REUSED', ...logErrors],
    recordedErrors: ['PRODUCT_NOT_FOUND', 'STOCK_SHORT', 'PAYMENT_DECLINED'],
  },
  {
    operationId: 'listOrders',
    method: 'get',
    path: '/api/v1/orders',
    service: 'order',
    summary: 'The orders of the customer, by order id, a page at a time.',
    access: 'customer',
    query: PageQuery,
    answers: { 200: { description: 'One page.', body: OrderPage } },
    errors: [],
  },
  {
    operationId: 'getOrder',
    method: 'get',
    path: '/api/v1/orders/{orderId}',
    service: 'order',
    summary: 'One order. Another customer’s order is not told apart from none.',
    access: 'customer',
    params: { orderId: OrderId },
    answers: { 200: { description: 'The order.', body: OrderResource } },
    errors: ['ORDER_NOT_FOUND'],
  },
  {
    operationId: 'followOrder',
    method: 'get',
    path: '/api/v1/orders/{orderId}/events',
    service: 'order',
    summary:
      'One order as server-sent events (`order`): the whole of it at once and after every change, until it is SHIPPED or CANCELLED, for five minutes at most. A comment comes when nothing changes for five seconds.',
    access: 'customer',
    params: { orderId: OrderId },
    headers: { 'last-event-id': OrderStatus.optional() },
    answers: {
      200: { description: 'The order, again and again.', body: OrderResource, events: true },
      204: { description: 'The event with this id was the last one.' },
    },
    errors: ['ORDER_NOT_FOUND'],
  },
  {
    operationId: 'listProducts',
    method: 'get',
    path: '/api/v1/products',
    service: 'product',
    summary: 'The catalogue, by product id, a page at a time.',
    access: 'public',
    query: ProductQuery,
    answers: { 200: { description: 'One page.', body: ProductPage } },
    errors: [],
  },
  {
    operationId: 'getProduct',
    method: 'get',
    path: '/api/v1/products/{productId}',
    service: 'product',
    summary: 'One product with its stock.',
    access: 'public',
    params: { productId: ProductId },
    answers: { 200: { description: 'The product.', body: ProductResource } },
    errors: ['PRODUCT_NOT_FOUND'],
  },
  {
    operationId: 'checkInventory',
    method: 'get',
    path: '/api/v1/products/{productId}/inventory',
    service: 'product',
    summary: 'Whether a product can be ordered in a quantity now; gRPC and GraphQL have the same check.',
    access: 'public',
    params: { productId: ProductId },
    query: InventoryQuery,
    answers: { 200: { description: 'What can be ordered.', body: InventoryResource } },
    errors: ['PRODUCT_NOT_FOUND'],
  },
  {
    operationId: 'graphql',
    method: 'post',
    path: '/graphql',
    service: 'product',
    summary: 'Runs a GraphQL document; its schema is schema.graphql. Errors of a document are in a 200.',
    access: 'public',
    body: GraphqlRequest,
    answers: { 200: { description: 'Data, errors or both.', body: GraphqlResponse } },
    errors: [],
  },
  {
    operationId: 'graphqlExplorer',
    method: 'get',
    path: '/graphql',
    service: 'product',
    summary: 'The GraphQL explorer, for a browser.',
    access: 'public',
    answers: { 200: { description: 'The explorer.' } },
    errors: [],
  },
  {
    operationId: 'getPayment',
    method: 'get',
    path: '/api/v1/payments/{orderId}',
    service: 'payment',
    summary: 'The payment of an order.',
    access: 'customer',
    params: { orderId: OrderId },
    answers: { 200: { description: 'The payment.', body: PaymentResource } },
    errors: ['PAYMENT_NOT_FOUND'],
  },
  {
    operationId: 'pay',
    method: 'post',
    path: '/api/v1/payments',
    service: 'payment',
    summary: 'Pays for an order (order to payment). Idempotent by order id.',
    access: 'internal',
    body: PaymentRequest,
    writes: true,
    answers: {
      201: { description: 'Completed, or declined for good with a reason.', body: PaymentResource },
    },
    errors: ['PAYMENT_VOIDED', ...logErrors],
  },
  {
    operationId: 'voidPayment',
    method: 'post',
    path: '/api/v1/payments/{orderId}/void',
    service: 'payment',
    summary:
      'Sees to it that an order that has no payment never gets one (order to payment). One that it has is answered and stays. Idempotent.',
    access: 'internal',
    params: { orderId: OrderId },
    writes: true,
    answers: { 200: { description: 'The payment, or none for ever.', body: VoidedPayment } },
    errors: [...logErrors],
  },
  {
    operationId: 'listNotifications',
    method: 'get',
    path: '/api/v1/notifications/{orderId}',
    service: 'notification',
    summary: 'Everything the customer was told about an order, oldest first.',
    access: 'customer',
    params: { orderId: OrderId },
    answers: { 200: { description: 'The notifications.', body: NotificationList } },
    errors: ['NOTIFICATION_NOT_FOUND'],
  },
  {
    operationId: 'getShipment',
    method: 'get',
    path: '/api/v1/shipments/{orderId}',
    service: 'shipping',
    summary: 'The shipment of an order.',
    access: 'customer',
    params: { orderId: OrderId },
    answers: { 200: { description: 'The shipment.', body: ShipmentResource } },
    errors: ['SHIPMENT_NOT_FOUND'],
  },
];

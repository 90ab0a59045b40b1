import { randomBytes } from 'node:crypto';
import { httpHeaders } from '@parley/contracts/headers';
import { NotificationList, OrderResource, PaymentResource, ShipmentResource } from '@parley/contracts/rest';
import { serviceNames } from '@parley/contracts/endpoints';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Customer } from '../client.ts';
import { evidence } from '../ledger/evidence.ts';
import { readStack } from '../stack.ts';
import { waitForPaths, type Span, type SpanShape } from '../traces.ts';

const stack = readStack();
const shippedDeadlineMs = 120_000;

const span = (service: string, kind: Span['kind'], name?: RegExp): SpanShape =>
  name === undefined ? { service, kind } : { service, kind, name };

const atOrder = [
  span('gateway', 'SERVER'),
  span('gateway', 'CLIENT'),
  span('order', 'SERVER', /^post \/api\/v1\/orders$/),
];
const paths = {
  'GraphQL query': [
    span('gateway', 'SERVER'),
    span('gateway', 'CLIENT'),
    span('product', 'SERVER', /graphql/),
  ],
  'gRPC order to product': [
    ...atOrder,
    span('order', 'CLIENT', /^parley\.product\.v1\./),
    span('product', 'SERVER', /^parley\.product\.v1\./),
    span('product', 'PRODUCER', /^publish parley\.product\.events$/),
  ],
  'REST, Kafka, RabbitMQ and back': [
    ...atOrder,
    span('order', 'CLIENT', /^post \/api\/v1\/payments$/),
    span('payment', 'SERVER', /^post \/api\/v1\/payments$/),
    span('payment', 'PRODUCER', /^publish parley\.payment\.events$/),
    span('notification', 'CONSUMER', /^process parley\.payment\.events$/),
    span('notification', 'PRODUCER', /^publish shipping\.requests$/),
    span('shipping', 'CONSUMER', /^process shipping\.requests$/),
    span('shipping', 'PRODUCER', /^publish parley\.shipping\.events$/),
    span('order', 'CONSUMER', /^process parley\.shipping\.events$/),
    span('order', 'PRODUCER', /^publish parley\.order\.events$/),
  ],
};

const Catalogue = z.object({
  data: z.object({
    products: z.array(z.object({ productId: z.string(), name: z.string(), stock: z.int() })).min(1),
  }),
});

describe('an order', () => {
  it('travels over GraphQL, gRPC, REST, Kafka and RabbitMQ to SHIPPED (US8.2, FR-019)', async (context) => {
    const customer = await Customer.of(stack, 'flow');
    const query = 'query { products(category: "audio", limit: 1) { productId name stock } }';
    const queried = await customer.ask('/graphql', { method: 'POST', body: { query } });
    const [product] = Catalogue.parse(queried.body).data.products;
    const postedAt = performance.now();
    const answer = await customer.order({ productId: product?.productId ?? '', quantity: 2 });
    expect(answer.status).toBe(201);
    const placed = OrderResource.parse(answer.body);
    expect(placed).toMatchObject({ status: 'PAID', customerId: customer.sub, quantity: 2 });

    const order = await customer.status(placed.orderId, 'SHIPPED', shippedDeadlineMs);
    const shippedAfterMs = Math.round(performance.now() - postedAt);
    const payment = await customer.read(`/api/v1/payments/${order.orderId}`, PaymentResource);
    const notifications = await customer.read(`/api/v1/notifications/${order.orderId}`, NotificationList);
    const shipment = await customer.read(`/api/v1/shipments/${order.orderId}`, ShipmentResource);
    expect(payment).toMatchObject({ status: 'COMPLETED', paymentId: order.paymentId, amount: order.amount });
    expect(notifications.items).toHaveLength(1);
    expect(notifications.items[0]).toMatchObject({ type: 'PAYMENT_COMPLETED', status: 'SENT' });
    expect(shipment).toMatchObject({ status: 'DISPATCHED', shipmentId: order.shipment?.shipmentId });
    evidence(context, ['US8.2', 'FR-019'], {
      orderId: order.orderId,
      product: product?.productId,
      paymentId: payment.paymentId,
      notificationId: notifications.items[0]?.notificationId,
      shipmentId: shipment.shipmentId,
      trackingNumber: shipment.tracking.trackingNumber,
      status: order.status,
      answeredAfterMs: answer.latencyMs,
      shippedAfterMs,
    });
  });

  it('is one trace from the query to SHIPPED, each hop below the right one (US8.3, US5.1, FR-010, SC-008, SC-012)', async (context) => {
    const customer = await Customer.of(stack, 'trace');
    const traceId = randomBytes(16).toString('hex');
    const traceparent = `00-${traceId}-${randomBytes(8).toString('hex')}-01`;
    const headers = { [httpHeaders.traceparent]: traceparent };
    const body = { query: '{ products(limit: 1) { productId name stock } }' };
    const queried = await customer.ask('/graphql', { method: 'POST', headers, body });
    const [product] = Catalogue.parse(queried.body).data.products;
    const order = await customer.ordered({ productId: product?.productId ?? '', quantity: 1, headers });
    await customer.status(order.orderId, 'SHIPPED', shippedDeadlineMs);

    const trace = await waitForPaths(stack, traceparent, paths);
    const services = [...new Set(trace.spans.map((s) => s.localEndpoint.serviceName))].sort();
    expect(services).toEqual(['gateway', ...serviceNames].sort());
    // No span hangs in the air: each parent is in the trace, or is the client's.
    const known = new Set([...trace.spans.map((s) => s.id), traceparent.split('-')[2]]);
    expect(trace.spans.filter((s) => !known.has(s.parentId))).toEqual([]);
    evidence(context, ['US8.3', 'US5.1', 'FR-010', 'SC-008', 'SC-012'], {
      traceId,
      orderId: order.orderId,
      spans: trace.spans.length,
      services,
      hops: Object.fromEntries(
        Object.entries(trace.paths).map(([name, path]) => [
          name,
          path.map((s) => `${s.localEndpoint.serviceName} ${s.kind ?? ''} ${s.id} < ${s.parentId ?? ''}`),
        ]),
      ),
    });
  });
});

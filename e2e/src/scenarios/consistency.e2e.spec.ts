import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { formatPosition, parsePositions, waitLimits, type LogPosition } from '@parley/contracts/consistency';
import { OrderServiceService, OrderStatus, type GetOrderResponse } from '@parley/contracts/grpc/order';
import { grpcMetadata, httpHeaders } from '@parley/contracts/headers';
import { OrderPage, OrderResource, Problem } from '@parley/contracts/rest';
import { afterAll, describe, expect, it } from 'vitest';
import { Customer, type Answer } from '../client.ts';
import { evidence } from '../ledger/evidence.ts';
import { readStack } from '../stack.ts';

const stack = readStack();
/** Of the seed: plenty, and one whose single unit is above the payment limit. */
const plenty = 'wool-door-stop';
const dear = 'meridian-orrery';

/** How long is waited for what is to happen. */
const deadlineMs = 120_000;

const grpc = new Client(stack.endpoints.order.grpc, credentials.createInsecure());
afterAll(() => {
  grpc.close();
});
const getOrder = (orderId: string, metadata: Metadata): Promise<GetOrderResponse> =>
  new Promise((resolve, reject) => {
    const { path, requestSerialize, responseDeserialize } = OrderServiceService.getOrder;
    const options = { deadline: Date.now() + deadlineMs };
    grpc.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      { orderId },
      metadata,
      options,
      (e, r) => {
        if (e !== null) reject(e);
        else if (r === undefined) reject(new Error('neither an answer nor an error'));
        else resolve(r);
      },
    );
  });

const positionOf = (answer: Answer): LogPosition => {
  const parsed = parsePositions(answer.headers.get(httpHeaders.position) ?? '');
  if (parsed.kind === 'invalid') throw new Error(`the answer's position ${parsed.message}`);
  const [position] = parsed.positions;
  if (position === undefined || parsed.positions.length > 1) throw new Error('not one position');
  return position;
};

/** One read at each service, and over each protocol that passes the gateway. */
const readsOf = (orderId: string) =>
  [
    ['order', `/api/v1/orders/${orderId}`],
    ['order, a list', '/api/v1/orders'],
    ['product', `/api/v1/products/${plenty}`],
    ['product, GraphQL', '/graphql', { query: '{ categories }' }],
    ['payment', `/api/v1/payments/${orderId}`],
    ['notification', `/api/v1/notifications/${orderId}`],
    ['shipping', `/api/v1/shipments/${orderId}`],
  ] as const;
const readAtLeast = (
  customer: Customer,
  [, path, body]: ReturnType<typeof readsOf>[number],
  headers: Readonly<Record<string, string>>,
): Promise<Answer> =>
  customer.ask(path, body === undefined ? { headers } : { method: 'POST', body, headers });

/** In the order in which an order has them. One whose payment is still due is written, too. */
const statuses = ['CREATED', 'PAYMENT_PENDING', 'PAID', 'SHIPPED'];

describe('the consistency token', () => {
  it('of an order is accepted by every service, over REST, GraphQL and gRPC', async () => {
    const customer = await Customer.of(stack, 'token');
    const answer = await customer.order({ productId: plenty, quantity: 1 });
    const { orderId } = OrderResource.parse(answer.body);
    const position = positionOf(answer);
    expect(position.topic).toBe('parley.order.events');
    await customer.status(orderId, 'SHIPPED', deadlineMs); // so that there is something to read everywhere
    for (const read of readsOf(orderId)) {
      const [where] = read;
      const answered = await readAtLeast(customer, read, { [httpHeaders.atLeast]: formatPosition(position) });
      expect(answered.status, where).toBe(200);
    }
    const metadata = new Metadata();
    metadata.set(grpcMetadata.atLeast, formatPosition(position));
    const { order } = await getOrder(orderId, metadata);
    expect(order?.status).toBe(OrderStatus.ORDER_STATUS_SHIPPED);
  });

  it('comes with a refused order that was recorded, too', async () => {
    const customer = await Customer.of(stack, 'token-refused');
    const answer = await customer.order({ productId: dear, quantity: 1 });
    expect(Problem.parse(answer.body).code).toBe('PAYMENT_DECLINED');
    const headers = { [httpHeaders.atLeast]: answer.headers.get(httpHeaders.position) ?? '' };
    const { orderId = '' } = Problem.parse(answer.body);
    const read = await customer.ask(`/api/v1/orders/${orderId}`, { headers });
    expect(OrderResource.parse(read.body).status).toBe('CANCELLED');
  });

  it('of 50 orders, each read right behind its write, always finds the write (P-11)', async (context) => {
    const customer = await Customer.of(stack, 'own-writes');
    const placed = new Map<string, string>();
    const placeAndRead = async (): Promise<void> => {
      const answer = await customer.order({ productId: plenty, quantity: 1 });
      const written = OrderResource.parse(answer.body);
      const { orderId, paymentId } = written;
      const headers = { [httpHeaders.atLeast]: formatPosition(positionOf(answer)) };
      const one = await customer.ask(`/api/v1/orders/${orderId}`, { headers });
      const read = OrderResource.parse(one.body);
      expect(read).toMatchObject(paymentId === undefined ? { orderId } : { orderId, paymentId });
      expect(statuses.indexOf(read.status)).toBeGreaterThanOrEqual(statuses.indexOf(written.status));
      const list = await customer.ask('/api/v1/orders?limit=100', { headers });
      expect(OrderPage.parse(list.body).items.map((order) => order.orderId)).toContain(orderId);
      placed.set(orderId, headers[httpHeaders.atLeast]);
    };
    for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 5 }, placeAndRead));
    expect(placed.size).toBe(50);
    evidence(context, ['P-11'], { orders: placed.size, firstRead: [...placed][0] });
  });

  it('that is not reached is NOT_YET_CONSISTENT within the wait that was asked for, where the topic is read (P-11)', async (context) => {
    const customer = await Customer.of(stack, 'token-ahead');
    const answer = await customer.order({ productId: plenty, quantity: 1 });
    const { orderId } = OrderResource.parse(answer.body);
    const position = positionOf(answer);
    await customer.status(orderId, 'SHIPPED', deadlineMs);
    const ahead = formatPosition({ ...position, offset: position.offset + 1_000_000_000 });
    const headers = { [httpHeaders.atLeast]: ahead, [httpHeaders.prefer]: 'wait=1' };
    const refusedAfterMs: Record<string, number> = {};
    for (const read of readsOf(orderId)) {
      const [where] = read;
      const answered = await readAtLeast(customer, read, headers);
      if (!where.startsWith('order') && !where.startsWith('product')) {
        expect([answered.status, where]).toEqual([200, where]); // reads no order events: nothing to wait for
        continue;
      }
      const problem = Problem.parse(answered.body);
      expect([answered.status, problem.code], where).toEqual([503, 'NOT_YET_CONSISTENT']);
      expect(problem.detail).toContain(ahead);
      expect(Number(answered.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(answered.latencyMs).toBeGreaterThanOrEqual(1_000);
      expect(answered.latencyMs).toBeLessThan(waitLimits.maxMs); // what a client may ask for at most
      refusedAfterMs[where] = answered.latencyMs;
    }
    const metadata = new Metadata();
    metadata.set(grpcMetadata.atLeast, ahead);
    metadata.set(grpcMetadata.prefer, 'wait=0');
    await expect(getOrder(orderId, metadata)).rejects.toMatchObject({ code: 14 });
    evidence(context, ['P-11'], { askedWaitMs: 1_000, refusedAfterMs });
  });

  it('that is rubbish is VALIDATION_FAILED at every service, and names the header', async () => {
    const customer = await Customer.of(stack, 'token-rubbish');
    const { orderId } = await customer.ordered({ productId: plenty, quantity: 1 });
    for (const rubbish of [
      'rubbish',
      'parley.order.events/4@1',
      'other.topic/0@1',
      'parley.order.events/0@-1',
    ]) {
      for (const read of readsOf(orderId)) {
        const answered = await readAtLeast(customer, read, { [httpHeaders.atLeast]: rubbish });
        const problem = Problem.parse(answered.body);
        expect([answered.status, problem.code], read[0]).toEqual([400, 'VALIDATION_FAILED']);
        expect(problem.errors?.map(({ path }) => path)).toEqual([httpHeaders.atLeast]);
      }
    }
  });
});

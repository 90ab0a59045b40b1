import { errorCatalog } from '@parley/contracts/errors';
import { userIdPattern } from '@parley/contracts/headers';
import { OrderPage, OrderResource, Problem } from '@parley/contracts/rest';
import type { OrderRow } from '@parley/projection-orders';
import { testService } from '@parley/service/testing';
import { describe, expect, it } from 'vitest';
import { HOLD_MS } from '../../../testing/peers.ts';
import { createWorld, orderIdOf, request } from '../../../testing/world.ts';
import type { PlaceOrder, PlaceOutcome } from '../../application/place-order.ts';
import type { OrderState } from '../../core/order.ts';
import { mountHttp } from './http.ts';

const orderId = orderIdOf(request());
const alice = { 'x-user-id': 'alice' };
type Orders = Parameters<typeof mountHttp>[1]['orders'];
const noOrders: Orders = { get: () => undefined, find: () => [] };

const position = { topic: 'parley.order.events', partition: 2, offset: 41 };

const edge = (placeOrder: PlaceOrder, orders: Orders = noOrders) => {
  const lines: string[] = [];
  const service = testService({
    name: 'order',
    errors: errorCatalog,
    logDestination: { write: (line) => void lines.push(line) },
  });
  mountHttp(service, {
    placeOrder,
    orders,
    positionOf: (id) => (id === orderId ? position : undefined),
    retryAfterSeconds: 1,
  });
  const get = async (path: string, headers: Record<string, string> = alice) =>
    service.http.request(path, { headers });
  const post = async (body: unknown, headers: Record<string, string> = {}) =>
    service.http.request('/api/v1/orders', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-correlation-id': 'corr-1', ...alice, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  return { get, post, lines };
};

/** An edge whose use case answers this, and what it was asked. */
const answering = (outcome: PlaceOutcome) => {
  const asked: Parameters<PlaceOrder>[] = [];
  return {
    asked,
    ...edge((...args) => {
      asked.push(args);
      return Promise.resolve(outcome);
    }),
  };
};
const placed = {
  orderId,
  customerId: 'alice',
  productId: 'cup',
  quantity: 2,
  channel: 'MOBILE',
  createdAtMs: 1_000,
  dispatchByMs: 9_000,
} as const;
const due = { amountMinor: 1_000, currency: 'EUR', reservedUntilMs: 9_000 };
const paid = { paymentId: orderId, paidAtMs: 3_000 };
const shipped = { shipmentId: orderId, carrier: 'c', trackingNumber: 't', shippedAtMs: 4_000 };
const pending: OrderState = { status: 'PAYMENT_PENDING', placed, due, startedAtMs: 2_000 };
const settled = (state: OrderState): PlaceOutcome => ({ kind: 'settled', state });
const cancelled = (reason: 'PRODUCT_UNKNOWN' | 'STOCK_SHORT' | 'PAYMENT_DECLINED'): PlaceOutcome =>
  settled({ status: 'CANCELLED', placed, reason, detail: 'why', cancelledAtMs: 3_000 });
const body = { productId: 'cup', quantity: 2 };

describe('POST /api/v1/orders', () => {
  it('answers 201 with the paid order, for the customer that the gateway named', async () => {
    const { post, asked } = answering(settled({ status: 'PAID', placed, due, paid }));
    const request = { ...body, channel: 'MOBILE' };
    const answer = await post(request, { 'idempotency-key': 'key-1' });
    expect(answer.status).toBe(201);
    expect(OrderResource.parse(await answer.json())).toEqual({
      orderId,
      customerId: 'alice',
      productId: 'cup',
      quantity: 2,
      channel: 'MOBILE',
      status: 'PAID',
      amount: { amountMinor: 1_000, currency: 'EUR' },
      paymentId: orderId,
      createdAt: '1970-01-01T00:00:01.000Z',
      updatedAt: '1970-01-01T00:00:03.000Z',
      dispatchBy: '1970-01-01T00:00:09.000Z',
    });
    const expected = { customerId: 'alice', idempotencyKey: 'key-1', ...request };
    expect(asked).toEqual([[expected, { correlationId: 'corr-1' }]]);
  });

  it('answers a repetition after shipping byte for byte as it answered the first request', async () => {
    const first = await answering(settled({ status: 'PAID', placed, due, paid })).post(body);
    const later = await answering(settled({ status: 'SHIPPED', placed, due, paid, shipped })).post(body);
    expect(await later.text()).toBe(await first.text());
    expect(later.status).toBe(first.status);
  });

  it.each<[string, PlaceOutcome, string, string]>([
    [
      'payment cannot be reached',
      { kind: 'blocked', state: pending, by: 'payment', reason: 'breaker-open' },
      'PAYMENT_PENDING',
      'payment queued for retry',
    ],
    [
      'product cannot be reached',
      { kind: 'blocked', state: { status: 'CREATED', placed }, by: 'product', reason: 'timeout' },
      'CREATED',
      'stock check queued for retry',
    ],
    [
      'the log does not confirm a later step',
      { kind: 'failed', state: pending, failure: { kind: 'unknown', commitId: 'c' } },
      'PAYMENT_PENDING',
      'payment queued for retry',
    ],
  ])('answers 202 with a notice when %s: the order is recorded and goes on later', async (...row) => {
    const [, outcome, status, notice] = row;
    const answer = await answering(outcome).post(body);
    expect(answer.status).toBe(202);
    expect(answer.headers.get('x-parley-position')).toBe('parley.order.events/2@41');
    expect(OrderResource.parse(await answer.json())).toMatchObject({ orderId, status, notice });
  });

  it.each<[PlaceOutcome, number, string, string | null]>([
    [cancelled('PRODUCT_UNKNOWN'), 404, 'PRODUCT_NOT_FOUND', null],
    [cancelled('STOCK_SHORT'), 409, 'STOCK_SHORT', null],
    [cancelled('PAYMENT_DECLINED'), 402, 'PAYMENT_DECLINED', null],
    [{ kind: 'key-reused' }, 422, 'IDEMPOTENCY_KEY_REUSED', null],
    [{ kind: 'not-placed', failure: { kind: 'conflict', attempts: 6 } }, 409, 'CONFLICT', null],
    [{ kind: 'not-placed', failure: { kind: 'unknown', commitId: 'c' } }, 503, 'LOG_UNAVAILABLE', '1'],
    [
      { kind: 'not-placed', failure: { kind: 'unavailable', reason: 'disconnected' } },
      503,
      'LOG_UNAVAILABLE',
      '1',
    ],
    [{ kind: 'not-placed', failure: { kind: 'unavailable', reason: 'queue-full' } }, 503, 'OVERLOADED', '1'],
    [
      { kind: 'failed', state: pending, failure: { kind: 'rejected', reason: 'too-large', detail: 'd' } },
      500,
      'INTERNAL',
      null,
    ],
  ])('answers %j with %i %s', async (outcome, status, code, retryAfter) => {
    const answer = await answering(outcome).post(body);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.headers.get('retry-after')).toBe(retryAfter);
    const problem = Problem.parse(await answer.json());
    expect(problem).toMatchObject({ status, code, correlationId: 'corr-1' });
    // A refusal of an order that was recorded names it.
    if (outcome.kind === 'settled') expect(problem.orderId).toBe(orderId);
  });

  it.each([
    ['not JSON', '{', 'MALFORMED_REQUEST', undefined],
    ['nothing', {}, 'VALIDATION_FAILED', ['productId', 'quantity']],
    ['no units', { ...body, quantity: 0 }, 'VALIDATION_FAILED', ['quantity']],
    ['more than a hundred units', { ...body, quantity: 101 }, 'VALIDATION_FAILED', ['quantity']],
    ['half a unit', { ...body, quantity: 1.5 }, 'VALIDATION_FAILED', ['quantity']],
    ['a product id that is none', { ...body, productId: '../x' }, 'VALIDATION_FAILED', ['productId']],
    ['a customer of its own', { ...body, customerId: 'bob' }, 'VALIDATION_FAILED', ['']],
  ])('refuses a body with %s, naming the fields, and asks nobody', async (_what, sent, code, paths) => {
    const { post, asked } = answering(settled(pending));
    const answer = await post(sent);
    expect(answer.status).toBe(400);
    const problem = Problem.parse(await answer.json());
    expect(problem.code).toBe(code);
    expect(problem.errors?.map(({ path }) => path)).toEqual(paths);
    expect(asked).toEqual([]);
  });

  it.each([
    ['empty', ''],
    ['with a space', 'a b'],
    ['too long', 'x'.repeat(129)],
    ['not ASCII', 'schl\u00fcssel'],
  ])('refuses an Idempotency-Key that is %s', async (_what, key) => {
    const { post, asked } = answering(settled(pending));
    const answer = await post(body, { 'idempotency-key': key });
    expect(Problem.parse(await answer.json())).toMatchObject({
      status: 400,
      code: 'VALIDATION_FAILED',
      errors: [{ path: 'Idempotency-Key' }],
    });
    expect(asked).toEqual([]);
  });

  it('gives requests without an Idempotency-Key one of their own each', async () => {
    const { post, asked } = answering(settled(pending));
    await post(body);
    await post(body);
    expect(new Set(asked.map(([{ idempotencyKey }]) => idempotencyKey)).size).toBe(2);
  });

  it('writes no customer, key or body into its log', async () => {
    const { post, lines } = answering(settled(pending));
    await post(body, { 'x-user-id': 'customer-4711', 'idempotency-key': 'key-4711' });
    expect(lines).toHaveLength(1);
    expect(lines.join()).not.toMatch(/4711|cup/);
  });
});

describe('the whole edge on a log', () => {
  it('answers one key used by many at the same time with one order, and any other request with 422', async () => {
    await using world = createWorld();
    const { placeOrder, view } = await world.open();
    const { post } = edge(placeOrder, view);
    const key = { 'idempotency-key': 'key-1' };
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(body, key)));
    const texts = await Promise.all(answers.map((answer) => answer.text()));
    expect(new Set(texts).size).toBe(1);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect((await post({ ...body, quantity: 3 }, key)).status).toBe(422);
    expect((await post({ ...body, channel: 'MOBILE' }, key)).status).toBe(422);
    expect((await post({ ...body, channel: 'UNKNOWN' }, key)).status).toBe(201);
    expect(view.size).toBe(1);
  });

  it('shows the order that it answered, and payment that went through later', async () => {
    await using world = createWorld();
    const { placeOrder, view, sweep } = await world.open();
    const { post, get } = edge(placeOrder, view);
    world.payments.faults.push('after');
    expect((await post(body, { 'idempotency-key': 'key-1' })).status).toBe(202);
    const show = async () => OrderResource.parse(await (await get(`/api/v1/orders/${orderId}`)).json());
    expect(await show()).toMatchObject({ status: 'PAYMENT_PENDING' });
    world.clock.ms += HOLD_MS / 2;
    await sweep();
    expect(await show()).toMatchObject({ status: 'PAID', paymentId: expect.any(String) as string });
  });
});

describe('GET /api/v1/orders', () => {
  const rowOf = (n: number): OrderRow => ({
    orderId: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    customerId: 'alice',
    productId: 'cup',
    quantity: 1,
    channel: 'UNKNOWN',
    dispatchByMs: 9_000,
    status: 'CANCELLED',
    createdAtMs: 1_000,
    updatedAtMs: 2_000,
    cancellation: { reason: 'STOCK_SHORT', detail: 'd' },
  });
  const rows = Array.from({ length: 45 }, (_, n) => rowOf(n));
  const { get } = edge(() => Promise.reject(new Error('not expected')), {
    get: (id) => rows.find((row) => row.orderId === id),
    find: (index, value, { limit, after = '' }) =>
      index === 'customer' && value === 'alice'
        ? rows.filter((row) => row.orderId > after).slice(0, limit)
        : [],
  });
  const codeOf = async (answer: Response): Promise<unknown[]> => [
    answer.status,
    Problem.parse(await answer.json()).code,
  ];

  it("pages through the customer's own orders, each once", async () => {
    const seen: string[] = [];
    const sizes: number[] = [];
    for (let after: string | undefined = ''; after !== undefined;) {
      const query: string = after === '' ? '' : `&after=${after}`;
      const page = OrderPage.parse(await (await get(`/api/v1/orders?limit=20${query}`)).json());
      seen.push(...page.items.map(({ orderId: id }) => id));
      sizes.push(page.items.length);
      after = page.nextAfter;
    }
    expect(seen).toEqual(rows.map(({ orderId: id }) => id));
    expect(sizes).toEqual([20, 20, 5]);
  });

  it('shows another customer none of them', async () => {
    const page = OrderPage.parse(await (await get('/api/v1/orders', { 'x-user-id': 'bob' })).json());
    expect(page).toEqual({ items: [] });
  });

  it.each([
    ...['limit=0', 'limit=101', 'limit=x', 'after='],
    ...['limit=1e1', 'limit=0x10', 'limit=%2010', 'limit=%2B10', 'limit=+10', 'limit=010', 'limit=10.0'],
  ])('refuses ?%s', async (query) => {
    expect(await codeOf(await get(`/api/v1/orders?${query}`))).toEqual([400, 'VALIDATION_FAILED']);
  });

  it('finds an order by its id in any case', async () => {
    const answer = await get(`/api/v1/orders/${rowOf(1).orderId.toUpperCase()}`);
    expect(OrderResource.parse(await answer.json()).orderId).toBe(rowOf(1).orderId);
  });

  it('shows an order of a time that cannot be written as of the last one that can', async () => {
    const late = { ...rowOf(1), createdAtMs: 8.64e15 + 1 };
    const orders: Orders = { get: () => late, find: () => [late, rowOf(2)] };
    const page = OrderPage.parse(
      await (await edge(() => Promise.reject(new Error('unused')), orders).get('/api/v1/orders')).json(),
    );
    expect(page.items.map(({ createdAt }) => createdAt)[0]).toBe('9999-12-31T23:59:59.999Z');
    expect(page.items).toHaveLength(2);
  });

  it('shows one order with every attribute', async () => {
    const order = OrderResource.parse(await (await get(`/api/v1/orders/${rowOf(1).orderId}`)).json());
    expect(order).toMatchObject({
      status: 'CANCELLED',
      cancellation: { reason: 'STOCK_SHORT', detail: 'd' },
    });
  });

  it("answers 404 for another customer's order and for one that is not there, alike", async () => {
    const other = await get(`/api/v1/orders/${rowOf(1).orderId}`, {
      'x-user-id': 'bob',
      'x-correlation-id': 'c',
    });
    const none = await get(`/api/v1/orders/${rowOf(99).orderId}`, { ...alice, 'x-correlation-id': 'c' });
    expect(await other.clone().text()).toBe(await none.text());
    expect(await codeOf(other)).toEqual([404, 'ORDER_NOT_FOUND']);
  });

  it.each(['x', '%E0%A4%A', '..%2f..%2fetc'])('refuses %s as an order id', async (id) => {
    expect(await codeOf(await get(`/api/v1/orders/${id}`))).toEqual([400, 'VALIDATION_FAILED']);
  });
});

describe('a user id', () => {
  const { get } = answering(settled(pending));
  it.each(['!', '~', 'a,b', 'a'.repeat(128), 'a'.repeat(129), 'a b', 'a\tb', 'ál', 'a\x7f'])(
    'is to a service what it is to the gateway and the token command: %j',
    async (user) => {
      const answer = await get(`/api/v1/orders/${orderId}`, { 'x-user-id': user });
      expect(answer.status === 401).toBe(!userIdPattern.test(user));
    },
  );
});

describe('without a user', () => {
  const { get, post } = answering(settled(pending));
  it.each([
    ['GET /api/v1/orders', () => get('/api/v1/orders?limit=x', {})],
    ['GET /api/v1/orders/:orderId', () => get(`/api/v1/orders/${orderId}`, {})],
    ['POST /api/v1/orders', () => post('{', { 'x-user-id': '' })],
    ['POST /api/v1/orders with an implausible one', () => post(body, { 'x-user-id': 'a b' })],
  ])('%s answers 401 before it looks at anything else', async (_what, ask) => {
    const answer = await ask();
    expect(answer.status).toBe(401);
    expect(Problem.parse(await answer.json()).code).toBe('UNAUTHENTICATED');
  });
});

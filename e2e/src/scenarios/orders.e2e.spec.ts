import { randomUUID } from 'node:crypto';
import { OrderPage, OrderResource, Problem, ProductResource } from '@parley/contracts/rest';
import { expect, it } from 'vitest';
import { Customer } from '../client.ts';
import { evidence } from '../ledger/evidence.ts';
import { readStack } from '../stack.ts';
import { waitFor } from '../wait.ts';

const stack = readStack();
/** Of the seed: plenty, almost none, and one whose single unit is above the payment limit. */
const plenty = 'wool-door-stop';
const scarce = 'lunar-wall-clock';
const dear = 'meridian-orrery';
/** How long is waited for what is to happen. */
const deadlineMs = 120_000;
const stockOf = async (customer: Customer, productId: string): Promise<number> =>
  (await customer.read(`/api/v1/products/${productId}`, ProductResource)).stock;

it('the same request with the same key, one after the other and ten at once, is one order with one answer (P-02)', async (context) => {
  const customer = await Customer.of(stack, 'twice');
  const wish = { productId: plenty, quantity: 1, idempotencyKey: randomUUID() };
  const answers = await Promise.all(Array.from({ length: 10 }, () => customer.order(wish)));
  answers.push(await customer.order(wish));
  const first = OrderResource.parse(answers[0]?.body);
  for (const answer of answers) {
    expect(answer.status).toBe(201);
    expect(OrderResource.parse(answer.body)).toEqual(first);
  }
  await customer.status(first.orderId, 'SHIPPED', deadlineMs);
  // Also when it has gone on meanwhile, the answer is the same.
  expect(OrderResource.parse((await customer.order(wish)).body)).toEqual(first);
  const { items } = await customer.read('/api/v1/orders', OrderPage);
  expect(items.map((order) => order.orderId)).toEqual([first.orderId]);
  evidence(context, ['P-02'], { requests: answers.length + 1, orders: items.length, answer: first });
});

it('a key that was used for another request is IDEMPOTENCY_KEY_REUSED', async () => {
  const customer = await Customer.of(stack, 'reuse');
  const idempotencyKey = randomUUID();
  await customer.ordered({ productId: plenty, quantity: 1, idempotencyKey });
  const other = await customer.order({ productId: plenty, quantity: 2, idempotencyKey });
  expect([other.status, Problem.parse(other.body).code]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
});

it("another customer's order, payment, notification and shipment are not there", async () => {
  const [owner, other] = await Promise.all([Customer.of(stack, 'owner'), Customer.of(stack, 'other')]);
  const { orderId } = await owner.ordered({ productId: plenty, quantity: 1 });
  await owner.status(orderId, 'SHIPPED', deadlineMs);
  for (const [resource, code] of [
    ['orders', 'ORDER_NOT_FOUND'],
    ['payments', 'PAYMENT_NOT_FOUND'],
    ['notifications', 'NOTIFICATION_NOT_FOUND'],
    ['shipments', 'SHIPMENT_NOT_FOUND'],
  ] as const) {
    expect((await owner.ask(`/api/v1/${resource}/${orderId}`)).status, resource).toBe(200);
    const refused = await other.ask(`/api/v1/${resource}/${orderId}`);
    expect([refused.status, Problem.parse(refused.body).code]).toEqual([404, code]);
  }
  expect((await other.read('/api/v1/orders', OrderPage)).items).toEqual([]);
});

it("product's refusals over gRPC become the order's own errors (EC-2)", async (context) => {
  const customer = await Customer.of(stack, 'refused');
  const refusals: Record<string, object> = {};
  for (const [productId, httpStatus, code, reason] of [
    [scarce, 409, 'STOCK_SHORT', 'STOCK_SHORT'],
    ['no-such-product', 404, 'PRODUCT_NOT_FOUND', 'PRODUCT_UNKNOWN'],
  ] as const) {
    const answer = await customer.order({ productId, quantity: 50 });
    const problem = Problem.parse(answer.body);
    expect([answer.status, problem.code]).toEqual([httpStatus, code]);
    const order = await customer.status(String(problem.orderId), 'CANCELLED', deadlineMs);
    expect(order.cancellation?.reason).toBe(reason);
    refusals[reason] = { status: answer.status, code: problem.code, orderId: problem.orderId };
  }
  evidence(context, ['EC-2'], refusals);
});

it('a declined payment cancels the order with PAYMENT_DECLINED and gives the stock back', async () => {
  const customer = await Customer.of(stack, 'declined');
  const before = await stockOf(customer, dear);
  const answer = await customer.order({ productId: dear, quantity: 1 });
  const problem = Problem.parse(answer.body);
  expect([answer.status, problem.code]).toEqual([402, 'PAYMENT_DECLINED']);
  const order = await customer.status(String(problem.orderId), 'CANCELLED', deadlineMs);
  expect(order.cancellation?.reason).toBe('PAYMENT_DECLINED');
  const restored = async () => ((await stockOf(customer, dear)) === before ? true : undefined);
  await waitFor('the stock is back', restored, { deadlineMs });
});

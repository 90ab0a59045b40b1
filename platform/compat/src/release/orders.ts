/** Orders of every kind, placed through the gateway of a running stack, so that a capsule holds every event type. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { httpHeaders } from '@parley/contracts/headers';
import { OrderResource, Problem, ProductPage, type ProductResource } from '@parley/contracts/rest';

const REQUEST_DEADLINE_MS = 20_000;
const SETTLED_DEADLINE_MS = 120_000;
const POLL_MS = 200;
const PAGE = 100;

/** The gateway, and a token for each customer. */
export interface Gateway {
  readonly url: string;
  readonly tokenFor: (customerId: string) => Promise<string>;
}

type Expected = 'SHIPPED' | 'STOCK_SHORT' | 'PAYMENT_DECLINED' | 'PRODUCT_NOT_FOUND';

interface Plan {
  readonly customerId: string;
  readonly productId: string;
  readonly quantity: number;
  readonly idempotencyKey: string;
  readonly expected: Expected;
}

const ask = (url: string, init: RequestInit): Promise<Response> =>
  fetch(url, { ...init, signal: AbortSignal.timeout(REQUEST_DEADLINE_MS) });

async function catalogue(url: string): Promise<readonly ProductResource[]> {
  const response = await ask(`${url}/api/v1/products?limit=${PAGE}`, {});
  return ProductPage.parse(await response.json()).items;
}

/** Cheap and plentiful, scarce, and dearer than any payment that is accepted: what the plan needs of a catalogue. */
function planFor(products: readonly ProductResource[]): readonly Plan[] {
  const plentiful = products.filter(({ stock, price }) => stock >= 1000 && price.amountMinor < 20_000);
  const scarce = products.find(({ stock }) => stock > 0 && stock < 100);
  const dear = products
    .filter(({ stock }) => stock > 0)
    .sort((a, b) => b.price.amountMinor - a.price.amountMinor)[0];
  if (plentiful.length < 3 || scarce === undefined || dear === undefined)
    throw new Error('the catalogue has no plentiful, scarce and dear products: start from a fresh stack');
  const plan = (customerId: string, productId: string, quantity: number, expected: Expected): Plan => ({
    customerId,
    productId,
    quantity,
    expected,
    idempotencyKey: randomUUID(),
  });
  const customers = ['alice', 'bob', 'carol'];
  const shipped = plentiful
    .slice(0, 4)
    .flatMap(({ productId }, index) =>
      customers.map((customerId, customer) =>
        plan(customerId, productId, 1 + ((index + customer) % 3), 'SHIPPED'),
      ),
    );
  return [
    ...shipped,
    plan('alice', scarce.productId, 100, 'STOCK_SHORT'),
    plan('bob', dear.productId, 1, 'PAYMENT_DECLINED'),
    plan('carol', 'no-such-product', 1, 'PRODUCT_NOT_FOUND'),
  ];
}

/** Places one order and answers its id. @throws Error when the answer is not the expected one. */
async function place(gateway: Gateway, plan: Plan): Promise<string> {
  const response = await ask(`${gateway.url}/api/v1/orders`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${await gateway.tokenFor(plan.customerId)}`,
      'content-type': 'application/json',
      [httpHeaders.idempotencyKey]: plan.idempotencyKey,
    },
    body: JSON.stringify({ productId: plan.productId, quantity: plan.quantity }),
  });
  const body: unknown = await response.json();
  const order = OrderResource.safeParse(body);
  if (order.success && plan.expected === 'SHIPPED') return order.data.orderId;
  const problem = Problem.safeParse(body);
  if (problem.success && problem.data.code === plan.expected && problem.data.orderId !== undefined)
    return problem.data.orderId;
  throw new Error(
    `expected ${plan.expected}, the gateway answered ${response.status}: ${JSON.stringify(body)}`,
  );
}

async function untilShipped(gateway: Gateway, plan: Plan, orderId: string): Promise<void> {
  const endAtMs = performance.now() + SETTLED_DEADLINE_MS;
  const authorization = `Bearer ${await gateway.tokenFor(plan.customerId)}`;
  for (;;) {
    const response = await ask(`${gateway.url}/api/v1/orders/${orderId}`, { headers: { authorization } });
    const order = OrderResource.safeParse(await response.json());
    if (order.success && order.data.status === 'SHIPPED') return;
    if (performance.now() > endAtMs) throw new Error(`order ${orderId} is not SHIPPED after two minutes`);
    await pause(POLL_MS);
  }
}

/**
 * Places orders that are shipped, short of stock, declined and unknown, one of them twice under one key, and resolves
 * when all are settled. Answers the ids of those that were shipped.
 */
export async function placeOrders(gateway: Gateway): Promise<readonly string[]> {
  const plans = planFor(await catalogue(gateway.url));
  const placed: { readonly plan: Plan; readonly orderId: string }[] = [];
  for (const plan of plans) placed.push({ plan, orderId: await place(gateway, plan) });
  const [first] = plans;
  if (first !== undefined) await place(gateway, first); // the same request again is the same order
  const shipped = placed.filter(({ plan }) => plan.expected === 'SHIPPED');
  for (const { plan, orderId } of shipped) await untilShipped(gateway, plan, orderId);
  return shipped.map(({ orderId }) => orderId);
}

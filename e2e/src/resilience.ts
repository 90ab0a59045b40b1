import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceName } from '@parley/contracts/endpoints';
import { httpHeaders } from '@parley/contracts/headers';
import {
  OpsFaults,
  OpsPolicies,
  OrderPage,
  OrderResource,
  type OpsFault,
  type OpsPolicy,
} from '@parley/contracts/rest';
import { ask, type Answer, type Customer } from './client.ts';
import type { StackUnderTest } from './stack.ts';
import { waitFor } from './wait.ts';

type Stack = Pick<StackUnderTest, 'endpoints' | 'runDir'>;

/** The faults of the first instance of a service, all of them at once; none takes them away. */
export const setFaults = async (
  { endpoints }: Stack,
  service: ServiceName,
  faults: readonly Partial<OpsFault>[],
): Promise<void> => {
  const answer = await ask(`${endpoints[service].ops}/ops/faults`, { method: 'PUT', body: { faults } });
  if (answer.status !== 200) throw new Error(`faults were refused: ${JSON.stringify(answer.body)}`);
};

/** How many calls met the fault of a service, which was set with `callsMax`. */
export const callsMet = async (
  { endpoints }: Stack,
  service: ServiceName,
  callsMax: number,
): Promise<number> => {
  const answer = await ask(`${endpoints[service].ops}/ops/faults`);
  const [fault] = OpsFaults.parse(answer.body).faults;
  return callsMax - (fault?.callsLeft ?? 0);
};

/** A policy of the order service as its operations port shows it. */
export const policyOf = async ({ endpoints }: Stack, name: string): Promise<OpsPolicy> => {
  const answer = await ask(`${endpoints.order.ops}/ops/policies`);
  const found = OpsPolicies.parse(answer.body).policies.find((policy) => policy.name === name);
  if (found === undefined) throw new Error(`there is no policy ${name}`);
  return found;
};

/** The policy once its breaker is in this state. */
export const breakerState = (
  stack: Stack,
  name: string,
  state: OpsPolicy['state'],
  deadlineMs: number,
): Promise<OpsPolicy> =>
  waitFor(
    `the breaker ${name} ${state}`,
    async () => {
      const policy = await policyOf(stack, name);
      return policy.state === state ? policy : undefined;
    },
    { deadlineMs },
  );

/** Changes of a breaker since a time, as the log of the order service tells them. */
export const breakerChanges = (
  { runDir }: Stack,
  policy: string,
  sinceMs: number,
): readonly { readonly from: string; readonly to: string; readonly atMs: number }[] =>
  readFileSync(join(runDir, 'logs/order-1.log'), 'utf8')
    .split('\n')
    .filter((line) => line.includes('breaker changed'))
    .map((line) => JSON.parse(line.slice(line.indexOf('{'))) as Record<string, unknown>)
    .filter((line) => line.policy === policy)
    .map(({ from, to, time }) => ({
      from: String(from),
      to: String(to),
      atMs: typeof time === 'number' ? time : Date.parse(String(time)),
    }))
    .filter(({ atMs }) => atMs >= sinceMs);

/** An order of one at the service itself, as the gateway would hand it on. */
export const orderAt = (
  { endpoints }: Stack,
  { sub }: Pick<Customer, 'sub'>,
  wish: {
    readonly productId: string;
    readonly idempotencyKey?: string | undefined;
    readonly headers?: Readonly<Record<string, string>>;
  },
): Promise<Answer> => {
  const { productId, idempotencyKey = randomUUID(), headers } = wish;
  return ask(`${endpoints.order.http}/api/v1/orders`, {
    method: 'POST',
    headers: { [httpHeaders.userId]: sub, [httpHeaders.idempotencyKey]: idempotencyKey, ...headers },
    body: { productId, quantity: 1 },
  });
};

export const idOf = (answer: Answer): string => OrderResource.parse(answer.body).orderId;

/** Payment well, the breaker closed, and no failure in a row. A breaker that is half-open asks for several orders. */
export const paidAgain = async (stack: Stack, order: () => Promise<Answer>): Promise<void> => {
  await setFaults(stack, 'payment', []);
  const look = async (): Promise<true | undefined> => {
    if ((await order()).status !== 201) return undefined;
    return (await policyOf(stack, 'payment')).state === 'closed' ? true : undefined;
  };
  await waitFor('an order to be paid, and the breaker closed', look, {
    deadlineMs: 120_000,
    intervalMs: 200,
  });
};

const PAGE = 100;

/** Until every one of a customer's orders is SHIPPED, read page by page: a thousand orders are ten requests. */
export const untilAllShipped = async (
  customer: Customer,
  orderIds: readonly string[],
  deadlineMs: number,
): Promise<void> => {
  const waiting = new Set(orderIds);
  const look = async (): Promise<true | undefined> => {
    let after = '';
    do {
      const page = await customer.read(`/api/v1/orders?limit=${PAGE}${after}`, OrderPage);
      for (const { orderId, status } of page.items) if (status === 'SHIPPED') waiting.delete(orderId);
      after = page.nextAfter === undefined ? '' : `&after=${page.nextAfter}`;
    } while (after !== '');
    return waiting.size === 0 ? true : undefined;
  };
  await waitFor(`${orderIds.length} orders to be SHIPPED`, look, { deadlineMs, intervalMs: 500 });
};

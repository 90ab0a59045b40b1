import { OpsPolicies, OrderResource } from '@parley/contracts/rest';
import { ask, Customer } from './client.ts';
import type { StackUnderTest } from './stack.ts';
import { waitFor } from './wait.ts';

const wellDeadlineMs = 240_000;
const shippedDeadlineMs = 60_000;
/** Of the seed: plenty. */
const productId = 'wool-door-stop';

/**
 * Until the stack is as a scenario finds it that breaks nothing: every instance is ready, an order is paid at once and
 * SHIPPED, and no breaker of order's is open. For the end of each scenario that breaks something, also one that failed: the
 * next one begins on what it leaves.
 */
export const untilWell = async (stack: StackUnderTest): Promise<void> => {
  const { instances, order } = stack.endpoints;
  const customer = await Customer.of(stack, 'well');
  const look = async (): Promise<true> => {
    for (const { id, host, ports } of instances) {
      const { status, body } = await ask(`http://${host}:${ports.ops}/readyz`);
      if (status !== 200) throw new Error(`${id} is not ready: ${JSON.stringify(body)}`);
    }
    const answer = await customer.order({ productId, quantity: 1 });
    if (answer.status !== 201) throw new Error(`an order was answered with ${answer.status}`);
    await customer.status(OrderResource.parse(answer.body).orderId, 'SHIPPED', shippedDeadlineMs);
    const { policies } = OpsPolicies.parse((await ask(`${order.ops}/ops/policies`)).body);
    const open = policies.filter(({ state }) => state !== 'closed').map(({ name }) => name);
    if (open.length > 0) throw new Error(`order does not call ${open.join(', ')} as before`);
    return true;
  };
  await waitFor('the stack to be well again', look, { deadlineMs: wellDeadlineMs, intervalMs: 250 });
};

import { serviceNames } from '@parley/contracts/endpoints';
import { ProductResource } from '@parley/contracts/rest';
import { afterAll, describe, expect, it } from 'vitest';
import { Customer } from '../client.ts';
import { expectOnce, placeWhileBreaking } from '../in-flight.ts';
import { evidence } from '../ledger/evidence.ts';
import { pidOf, readStack } from '../stack.ts';
import { waitFor } from '../wait.ts';
import { untilWell } from '../well.ts';

const stack = readStack();
const productId = 'wool-door-stop';
const orders = 20;
const restartDeadlineMs = 180_000;
afterAll(() => untilWell(stack));

const stockOf = async (customer: Customer): Promise<number> =>
  (await customer.read(`/api/v1/products/${productId}`, ProductResource)).stock;

/** SIGKILL, and a condition for another process of the name. */
const killing = (name: Parameters<typeof pidOf>[1]): { kill: () => void; isBack: () => true | undefined } => {
  const victim = pidOf(stack, name);
  const killed = name === 'rabbitmq' ? -victim : victim; // with the node, which is not the start script itself
  return {
    kill: () => process.kill(killed, 'SIGKILL'),
    isBack: () => (pidOf(stack, name) === victim ? undefined : true),
  };
};

describe.each(serviceNames)('kill -9 of %s while 20 orders are in flight', (service) => {
  it('all 20 reach SHIPPED, each held, paid and shipped once (P-01)', async (context) => {
    const customer = await Customer.of(stack, `crash-${service}`);
    const stockBefore = await stockOf(customer);
    const { kill, isBack } = killing(service);
    const outcome = await placeWhileBreaking(customer, { orders, productId, breakIt: kill });
    await waitFor(`${service} to run again`, isBack, { deadlineMs: restartDeadlineMs });
    expect(outcome.takenBefore).toBeLessThan(orders);
    const counted = await expectOnce(stack, outcome.orderIds);
    const settled = async (): Promise<true | undefined> =>
      (await stockOf(customer)) === stockBefore - orders ? true : undefined;
    await waitFor('the stock to be 20 less', settled, { deadlineMs: restartDeadlineMs });
    const { orderIds, ...figures } = outcome;
    evidence(context, ['P-01'], {
      killed: service,
      orders: orderIds.length,
      ...counted,
      ...figures,
    });
    process.stdout.write(`kill -9 of ${service}: ${orderIds.length} orders, ${JSON.stringify(figures)}\n`);
  });
});

describe('a Kafka broker that dies mid-publish', () => {
  it('loses no order: what it refuses is retryable, and every order that is sent again is SHIPPED once (EC-1)', async (context) => {
    const customer = await Customer.of(stack, 'broker-down');
    const services = serviceNames.map((name) => pidOf(stack, name));
    const { kill, isBack } = killing('kafka');
    const outcome = await placeWhileBreaking(customer, { orders, productId, breakIt: kill });
    await waitFor('Kafka to run again', isBack, { deadlineMs: restartDeadlineMs });
    const counted = await expectOnce(stack, outcome.orderIds);
    // No service died of it, and the refusals were of the retryable kind only.
    expect(serviceNames.map((name) => pidOf(stack, name))).toEqual(services);
    expect(
      Object.keys(outcome.refusals).filter(
        (code) => !['LOG_UNAVAILABLE', 'DEADLINE_EXCEEDED'].includes(code),
      ),
    ).toEqual([]);
    const { orderIds, ...figures } = outcome;
    evidence(context, ['EC-1'], { orders: orderIds.length, ...counted, ...figures });
    process.stdout.write(`kill -9 of Kafka: ${orderIds.length} orders, ${JSON.stringify(figures)}\n`);
  });
});

describe('kill -9 of RabbitMQ while 20 orders are in flight', () => {
  it('all 20 reach SHIPPED, each paid and shipped once, and no service dies of it (P-01)', async (context) => {
    const customer = await Customer.of(stack, 'crash-rabbitmq');
    const services = serviceNames.map((name) => pidOf(stack, name));
    const { kill, isBack } = killing('rabbitmq');
    const outcome = await placeWhileBreaking(customer, { orders, productId, breakIt: kill });
    await waitFor('RabbitMQ to run again', isBack, { deadlineMs: restartDeadlineMs });
    expect(outcome.takenBefore).toBeLessThan(orders);
    const counted = await expectOnce(stack, outcome.orderIds);
    expect(serviceNames.map((name) => pidOf(stack, name))).toEqual(services);
    const { orderIds, ...figures } = outcome;
    evidence(context, ['P-01'], { killed: 'rabbitmq', orders: orderIds.length, ...counted, ...figures });
    process.stdout.write(`kill -9 of RabbitMQ: ${orderIds.length} orders, ${JSON.stringify(figures)}\n`);
  });
});

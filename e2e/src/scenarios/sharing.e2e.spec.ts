import { shippingRequests } from '@parley/contracts/queues';
import { notificationEvents, paymentEvents, shippingEvents } from '@parley/contracts/topics';
import { afterAll, describe, expect, it } from 'vitest';
import { Customer } from '../client.ts';
import { placeUntilTaken } from '../in-flight.ts';
import { scale } from '../instances.ts';
import { evidence } from '../ledger/evidence.ts';
import { groupPosition, readTopic } from '../log.ts';
import { readStack } from '../stack.ts';
import { waitFor } from '../wait.ts';
import { untilWell } from '../well.ts';

const stack = readStack();
const productId = 'cinder-earbuds';
const group = 'parley.notification.on-payment';
const orders = 40;
const deadlineMs = 180_000;
afterAll(() => untilWell(stack));

/** Calls of a handler that were done, as an instance counts them, for what has this label. */
const doneBy = async (ops: string, label: string): Promise<number> => {
  const answer = await fetch(`${ops}/metrics`, { signal: AbortSignal.timeout(60_000) });
  const lines = (await answer.text()).split('\n');
  return lines
    .filter((line) => line.startsWith('messaging_process_duration_seconds_count{'))
    .filter((line) => line.includes(`"${label}"`) && line.includes('"done"'))
    .reduce((sum, line) => sum + Number(line.split(' ')[1]), 0);
};

/** By instance of a service. */
const countsOf = async (service: string, label: string): Promise<ReadonlyMap<string, number>> => {
  const instances = readStack().endpoints.instances.filter((each) => each.service === service);
  return new Map(
    await Promise.all(
      instances.map(async ({ id, host, ports }) => {
        const done = await doneBy(`http://${host}:${String(ports.ops)}`, label);
        return [id, done] as const;
      }),
    ),
  );
};

describe('two instances of notification and two of shipping', () => {
  it(
    'share the partitions of Kafka and the messages of RabbitMQ: each handles some, and none is handled twice (FR-005, EC-4)',
    { timeout: 1_200_000 },
    async (context) => {
      await scale(stack, 'notification=2', 'shipping=2');
      try {
        const isShared = async (): Promise<true | undefined> => {
          const { state, members } = await groupPosition(stack, group, paymentEvents.name);
          return state === 'Stable' && members === 2 ? true : undefined;
        };
        await waitFor('both to be members', isShared, { deadlineMs });
        const look = () =>
          Promise.all([countsOf('notification', group), countsOf('shipping', shippingRequests.queue)]);
        const before = await look();
        const customer = await Customer.of(stack, 'sharing');
        const placed = await Promise.all(
          Array.from({ length: orders }, () => placeUntilTaken(customer, productId)),
        );
        for (const orderId of placed) await customer.status(orderId, 'SHIPPED', deadlineMs);
        // A call is counted once its handler has returned, which may be after its effect is seen.
        const areCounted = async () => {
          const counted = (await look()).map((counts, at) =>
            [...counts].map(([id, count]) => ({ id, handled: count - (before[at]?.get(id) ?? 0) })),
          );
          const sums = counted.map((share) => share.reduce((sum, { handled }) => sum + handled, 0));
          return sums.every((sum) => sum >= orders) ? counted : undefined;
        };
        const shares = await waitFor('every call to be counted', areCounted, { deadlineMs });
        for (const share of shares) {
          expect(share).toHaveLength(2);
          for (const { id, handled } of share) expect(handled, id).toBeGreaterThan(0);
        }
        for (const { name } of [notificationEvents, shippingEvents]) {
          const { accepted } = await readTopic(stack, name);
          const perOrder = placed.map(
            (orderId) => accepted.filter(({ streamId }) => streamId.endsWith(`-${orderId}`)).length,
          );
          expect(perOrder, name).toEqual(perOrder.map(() => 1));
        }
        const [kafka, rabbitmq] = shares;
        evidence(context, ['FR-005', 'EC-4'], { orders, kafka, rabbitmq });
      } finally {
        await scale(stack, 'notification=1', 'shipping=1');
      }
    },
  );
});

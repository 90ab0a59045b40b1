import { done, notYet } from '@parley/delivery';
import type { PaymentEvent } from '@parley/contracts/events';
import { ShippingRequested } from '@parley/contracts/queues';
import type { RecordedEvent } from '@parley/event-log';
import { recordingLog } from '@parley/event-log/testing';
import { notifications } from '@parley/projection-notifications';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createOnPayment, notificationAggregate, type ShippingRequests } from './notify.ts';

const idOf = (kind: string, n: number): string =>
  `00000000-0000-4000-8000-${kind}${String(n).padStart(10, '0')}`;
const context = { signal: new AbortController().signal, correlationId: 'correlation-1' };

/** The event that settles the payment of order `n`: every third one was declined. */
const settled = (n: number): RecordedEvent<PaymentEvent> => {
  const data = {
    paymentId: idOf('aa', n),
    orderId: idOf('00', n),
    customerId: 'alice',
    amountMinor: 1250,
    currency: 'EUR',
  };
  return {
    event:
      n % 3 === 0
        ? { type: 'PaymentFailed', data: { ...data, reason: 'AMOUNT_LIMIT_EXCEEDED', failedAt: 1 } }
        : { type: 'PaymentCompleted', data: { ...data, completedAt: 1 } },
    streamId: `payment-${data.orderId}`,
    version: 2,
    position: { topic: 'parley.payment.events', partition: 0, offset: n },
    eventId: idOf('ee', n),
    commitId: idOf('cc', n),
    recordedAtMs: 1,
    correlationId: 'as it lies in the log',
    causationId: undefined,
    traceparent: undefined,
  };
};

const setUp = async (publish?: ShippingRequests['publish']) => {
  const log = await recordingLog(notificationAggregate, notifications);
  const published: { readonly request: ShippingRequested; readonly correlationId: string }[] = [];
  let nowMs = 1_000;
  const onPayment = createOnPayment({
    notifications: log.aggregates,
    shippingRequests: {
      publish: async (request, options) => {
        const verdict = (await publish?.(request, options)) ?? done;
        if (verdict.kind !== 'done') return verdict;
        published.push({ request, correlationId: options.correlationId });
        return done;
      },
    },
    now: () => (nowMs += 1),
  });
  return { ...log, published, onPayment };
};

describe('on payment', () => {
  it('notifies the customer, then asks for shipping under the same correlation id', async () => {
    await using world = await setUp();
    await world.onPayment(settled(1), context);
    expect(world.view.get(idOf('00', 1))?.notifications).toMatchObject([
      { type: 'PAYMENT_COMPLETED', status: 'SENT' },
    ]);
    expect(world.recorded()).toMatchObject([{ data: { type: 'PAYMENT_COMPLETED', orderId: idOf('00', 1) } }]);
    const [message] = world.published;
    expect(message?.correlationId).toBe('correlation-1');
    expect(ShippingRequested.parse(message?.request)).toMatchObject({
      orderId: idOf('00', 1),
      paymentId: idOf('aa', 1),
    });
  });

  it('tells of a declined payment and ships nothing', async () => {
    await using world = await setUp();
    await world.onPayment(settled(3), context);
    expect(world.recorded()).toMatchObject([{ data: { type: 'PAYMENT_FAILED', orderId: idOf('00', 3) } }]);
    expect(world.published).toEqual([]);
  });

  it('handled again, notifies no second time and sends the same request', async () => {
    await using world = await setUp();
    await world.onPayment(settled(1), context);
    await world.onPayment(settled(1), context);
    expect(world.recorded()).toHaveLength(1);
    const [first, second] = world.published;
    expect(second).toEqual(first);
  });

  it('is not done while the broker does not confirm, so that the event is handled again', async () => {
    let confirms = false;
    await using world = await setUp(() => Promise.resolve(confirms ? done : notYet('no confirm')));
    expect(await world.onPayment(settled(1), context)).toEqual(notYet('no confirm'));
    expect(world.published).toEqual([]);
    confirms = true;
    expect(await world.onPayment(settled(1), context)).toEqual(done);
    expect(world.published).toHaveLength(1);
    expect(world.recorded()).toHaveLength(1);
  });

  it('asks for no shipping before the notification is in the log', async () => {
    const published: ShippingRequested[] = [];
    const onPayment = createOnPayment({
      notifications: { execute: () => Promise.resolve({ kind: 'unavailable', reason: 'disconnected' }) },
      shippingRequests: {
        publish: (request) => {
          published.push(request);
          return Promise.resolve(done);
        },
      },
      now: () => 1,
    });
    expect(await onPayment(settled(1), context)).toMatchObject({ kind: 'not-yet' });
    expect(published).toEqual([]);
  });

  it('comes to the same notifications and requests in any order, with any repetitions', async () => {
    const orders = [1, 2, 3, 4, 5, 6];
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(orders, { minLength: orders.length }),
        fc.array(fc.constantFrom(...orders), { maxLength: 10 }),
        async (order, repetitions) => {
          await using world = await setUp();
          await Promise.all([...order, ...repetitions].map((n) => world.onPayment(settled(n), context)));
          expect(
            world
              .recorded()
              .map((event) => event.data.orderId)
              .sort(),
          ).toEqual(orders.map((n) => idOf('00', n)));
          const requests = new Map(
            world.published.map(({ request }) => [request.orderId, JSON.stringify(request)]),
          );
          expect([...requests.keys()].sort()).toEqual([1, 2, 4, 5].map((n) => idOf('00', n)));
          for (const { request } of world.published)
            expect(requests.get(request.orderId)).toBe(JSON.stringify(request));
        },
      ),
      { seed: 4105, numRuns: 30 },
    );
  });
});

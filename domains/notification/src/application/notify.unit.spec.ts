import { createHash } from 'node:crypto';
import type { NotificationEvent, PaymentEvent } from '@parley/contracts/events';
import { ShippingRequested } from '@parley/contracts/queues';
import type { Aggregates, RecordedEvent } from '@parley/event-log';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NotificationState } from '../core/notification.ts';
import { createOnPayment, notificationAggregate, type ShippingRequests } from './notify.ts';

const idOf = (kind: string, n: number): string =>
  `00000000-0000-4000-8000-${kind}${String(n).padStart(10, '0')}`;
const context = { signal: new AbortController().signal };

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
    correlationId: `correlation-${n}`,
    causationId: undefined,
    traceparent: undefined,
  };
};

/** The write port over plain memory: decides in call order, remembers commands, and folds what it accepts. */
const memory = () => {
  const states = new Map<string, { state: NotificationState; version: number }>();
  const commands = new Set<string>();
  const recorded: NotificationEvent[] = [];
  const execute: Aggregates<NotificationState, NotificationEvent>['execute'] = async ({
    streamId,
    commandId,
    decide,
  }) => {
    await Promise.resolve();
    const { state, version } = states.get(streamId) ?? { state: notificationAggregate.initial, version: 0 };
    const position = { topic: notificationAggregate.topic.name, partition: 0, offset: recorded.length };
    if (commands.has(commandId)) return { kind: 'duplicate', state, version, position };
    const decision = decide(state, version);
    if (decision.kind === 'refused') return { ...decision, state, version };
    if (decision.events.length === 0) return { kind: 'unchanged', state, version };
    const after = {
      state: decision.events.reduce(notificationAggregate.evolve, state),
      version: version + decision.events.length,
    };
    commands.add(commandId);
    recorded.push(...decision.events);
    states.set(streamId, after);
    return { kind: 'accepted', ...after, position };
  };
  return { execute, recorded };
};
const deriveId = (...parts: readonly string[]): string => {
  const hex = createHash('sha256').update(parts.join('\n')).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
};

const setUp = (publish?: ShippingRequests['publish']) => {
  const notifications = memory();
  const published: { readonly request: ShippingRequested; readonly correlationId: string }[] = [];
  let nowMs = 1_000;
  const onPayment = createOnPayment({
    notifications,
    shippingRequests: {
      publish: async (request, options) => {
        await publish?.(request, options);
        published.push({ request, correlationId: options.correlationId });
      },
    },
    deriveId,
    now: () => (nowMs += 1),
  });
  return { recorded: notifications.recorded, published, onPayment };
};

describe('on payment', () => {
  it('notifies the customer, then asks for shipping under the same correlation id', async () => {
    const world = setUp();
    await world.onPayment(settled(1), context);
    expect(world.recorded).toMatchObject([{ data: { type: 'PAYMENT_COMPLETED', orderId: idOf('00', 1) } }]);
    const [message] = world.published;
    expect(message?.correlationId).toBe('correlation-1');
    expect(ShippingRequested.parse(message?.request)).toMatchObject({
      orderId: idOf('00', 1),
      paymentId: idOf('aa', 1),
    });
  });

  it('tells of a declined payment and ships nothing', async () => {
    const world = setUp();
    await world.onPayment(settled(3), context);
    expect(world.recorded).toMatchObject([{ data: { type: 'PAYMENT_FAILED', orderId: idOf('00', 3) } }]);
    expect(world.published).toEqual([]);
  });

  it('handled again, notifies no second time and sends the same request', async () => {
    const world = setUp();
    await world.onPayment(settled(1), context);
    await world.onPayment(settled(1), context);
    expect(world.recorded).toHaveLength(1);
    const [first, second] = world.published;
    expect(second).toEqual(first);
  });

  it('rejects while the broker does not confirm, so that the event is handled again', async () => {
    let confirms = false;
    const world = setUp(() => (confirms ? Promise.resolve() : Promise.reject(new Error('no confirm'))));
    await expect(world.onPayment(settled(1), context)).rejects.toThrow('no confirm');
    expect(world.published).toEqual([]);
    confirms = true;
    await world.onPayment(settled(1), context);
    expect(world.published).toHaveLength(1);
    expect(world.recorded).toHaveLength(1);
  });

  it('asks for no shipping before the notification is in the log', async () => {
    const published: ShippingRequested[] = [];
    const onPayment = createOnPayment({
      notifications: { execute: () => Promise.resolve({ kind: 'unavailable', reason: 'disconnected' }) },
      shippingRequests: { publish: (request) => Promise.resolve(void published.push(request)) },
      deriveId,
      now: () => 1,
    });
    await expect(onPayment(settled(1), context)).rejects.toThrow('unavailable');
    expect(published).toEqual([]);
  });

  it('comes to the same notifications and requests in any order, with any repetitions', async () => {
    const orders = [1, 2, 3, 4, 5, 6];
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(orders, { minLength: orders.length }),
        fc.array(fc.constantFrom(...orders), { maxLength: 10 }),
        async (order, repetitions) => {
          const world = setUp();
          await Promise.all([...order, ...repetitions].map((n) => world.onPayment(settled(n), context)));
          expect(world.recorded.map((event) => event.data.orderId).sort()).toEqual(
            orders.map((n) => idOf('00', n)),
          );
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

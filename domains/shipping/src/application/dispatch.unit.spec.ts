import type { ShippingRequested } from '@parley/contracts/queues';
import { recordingLog } from '@parley/event-log/testing';
import { shipments } from '@parley/projection-shipments';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { trackingNumberOf } from '../core/decide.ts';
import { createDispatch, shipmentAggregate } from './dispatch.ts';

const idOf = (kind: string, n: number): string =>
  `00000000-0000-4000-8000-${kind}${String(n).padStart(10, '0')}`;
const context = { correlationId: 'test' };

const requestFor = (n: number): ShippingRequested => ({
  requestId: idOf('bb', n),
  orderId: idOf('00', n),
  customerId: 'alice',
  paymentId: idOf('aa', n),
  notificationId: idOf('ff', n),
  requestedAt: 1_000,
});

const setUp = async () => {
  const log = await recordingLog(shipmentAggregate, shipments);
  return { ...log, dispatch: createDispatch({ shipments: log.aggregates, now: () => 2_000 }) };
};

describe('dispatch', () => {
  it('dispatches an order under the tracking number of its request', async () => {
    await using world = await setUp();
    expect(await world.dispatch(requestFor(1), context)).toEqual({ kind: 'dispatched', repeated: false });
    expect(world.recorded()).toMatchObject([{ data: { trackingNumber: trackingNumberOf(idOf('bb', 1)) } }]);
  });

  it('dispatches once when a request is delivered again', async () => {
    await using world = await setUp();
    await world.dispatch(requestFor(1), context);
    expect(await world.dispatch(requestFor(1), context)).toEqual({ kind: 'dispatched', repeated: true });
    expect(world.recorded()).toHaveLength(1);
  });

  it('refuses a second request for the same order', async () => {
    await using world = await setUp();
    await world.dispatch(requestFor(1), context);
    expect(await world.dispatch({ ...requestFor(1), requestId: idOf('bb', 2) }, context)).toMatchObject({
      kind: 'refused',
      rejection: { type: 'AlreadyDispatched', orderId: idOf('00', 1) },
    });
  });

  it('says that the log has not confirmed, so that the request is tried again', async () => {
    const dispatch = createDispatch({
      shipments: { execute: () => Promise.resolve({ kind: 'unavailable', reason: 'disconnected' }) },
      now: () => 1,
    });
    expect(await dispatch(requestFor(1), context)).toEqual({ kind: 'unconfirmed', why: 'unavailable' });
  });

  it('comes to the same shipments in any order, with any repetitions', async () => {
    const orders = [1, 2, 3, 4, 5];
    const outcomes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(orders, { minLength: orders.length }),
        fc.array(fc.constantFrom(...orders), { maxLength: 10 }),
        async (order, repetitions) => {
          await using world = await setUp();
          await Promise.all([...order, ...repetitions].map((n) => world.dispatch(requestFor(n), context)));
          expect(world.recorded()).toHaveLength(orders.length);
          outcomes.add(world.view.stateHash());
        },
      ),
      { seed: 4106, numRuns: 30 },
    );
    expect(outcomes.size).toBe(1);
  });
});

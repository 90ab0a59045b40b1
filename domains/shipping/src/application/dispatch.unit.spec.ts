import { createHash } from 'node:crypto';
import type { ShippingEvent } from '@parley/contracts/events';
import type { ShippingRequested } from '@parley/contracts/queues';
import type { Aggregates } from '@parley/event-log';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { trackingNumberOf } from '../core/decide.ts';
import type { ShipmentState } from '../core/shipment.ts';
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

/** The write port over plain memory: decides in call order, remembers commands, and folds what it accepts. */
const memory = () => {
  const states = new Map<string, { state: ShipmentState; version: number }>();
  const commands = new Set<string>();
  const recorded: ShippingEvent[] = [];
  const execute: Aggregates<ShipmentState, ShippingEvent>['execute'] = async ({
    streamId,
    commandId,
    decide,
  }) => {
    await Promise.resolve();
    const { state, version } = states.get(streamId) ?? { state: shipmentAggregate.initial, version: 0 };
    const position = { topic: shipmentAggregate.topic.name, partition: 0, offset: recorded.length };
    if (commands.has(commandId)) return { kind: 'duplicate', state, version, position };
    const decision = decide(state, version);
    if (decision.kind === 'refused') return { ...decision, state, version };
    if (decision.events.length === 0) return { kind: 'unchanged', state, version };
    const after = {
      state: decision.events.reduce(shipmentAggregate.evolve, state),
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

const setUp = () => {
  const shipments = memory();
  return {
    dispatch: createDispatch({ shipments, deriveId, now: () => 2_000 }),
    recorded: shipments.recorded,
  };
};

describe('dispatch', () => {
  it('dispatches an order under the tracking number of its request', async () => {
    const world = setUp();
    expect(await world.dispatch(requestFor(1), context)).toEqual({ kind: 'dispatched', repeated: false });
    expect(world.recorded).toMatchObject([{ data: { trackingNumber: trackingNumberOf(idOf('bb', 1)) } }]);
  });

  it('dispatches once when a request is delivered again', async () => {
    const world = setUp();
    await world.dispatch(requestFor(1), context);
    expect(await world.dispatch(requestFor(1), context)).toEqual({ kind: 'dispatched', repeated: true });
    expect(world.recorded).toHaveLength(1);
  });

  it('refuses a second request for the same order', async () => {
    const world = setUp();
    await world.dispatch(requestFor(1), context);
    expect(await world.dispatch({ ...requestFor(1), requestId: idOf('bb', 2) }, context)).toMatchObject({
      kind: 'refused',
      rejection: { type: 'AlreadyDispatched', orderId: idOf('00', 1) },
    });
  });

  it('rejects while the log has not confirmed, so that the request is tried again', async () => {
    const dispatch = createDispatch({
      shipments: { execute: () => Promise.resolve({ kind: 'unavailable', reason: 'disconnected' }) },
      deriveId,
      now: () => 1,
    });
    await expect(dispatch(requestFor(1), context)).rejects.toThrow('unavailable');
  });

  it('comes to the same shipments in any order, with any repetitions', async () => {
    const orders = [1, 2, 3, 4, 5];
    const outcomes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(orders, { minLength: orders.length }),
        fc.array(fc.constantFrom(...orders), { maxLength: 10 }),
        async (order, repetitions) => {
          const world = setUp();
          await Promise.all([...order, ...repetitions].map((n) => world.dispatch(requestFor(n), context)));
          expect(world.recorded).toHaveLength(orders.length);
          outcomes.add(
            world.recorded
              .map((event) => JSON.stringify(event))
              .sort()
              .join(),
          );
        },
      ),
      { seed: 4106, numRuns: 30 },
    );
    expect(outcomes.size).toBe(1);
  });
});

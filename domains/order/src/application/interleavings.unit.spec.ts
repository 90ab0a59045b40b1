import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HOLD_MS } from '../../testing/peers.ts';
import { createWorld, metadata, orderIdOf, request, type Instance } from '../../testing/world.ts';

const STOCK = 3;
const ROUNDS_MAX = 40;
const requests = [1, 2, 3].map((n) => request({ idempotencyKey: `k-${n}`, quantity: n }));

/** What may happen to the service, in any order and, unless awaited, at the same time. */
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('request'),
      which: fc.nat(2),
      on: fc.nat(1),
      awaited: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('sweep'), on: fc.nat(1), awaited: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('ship'), which: fc.nat(2), on: fc.nat(1) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('peer-fails'),
      peer: fc.constantFrom('products', 'payments'),
      fault: fc.constantFrom('before', 'after'),
      times: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('log-fails'),
      fault: fc.constantFrom('lost', 'acknowledgement-lost'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('restart'), on: fc.nat(1) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('time-passes'),
      ms: fc.constantFrom(3_000, HOLD_MS - 30_000, HOLD_MS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant('limit'), amountMinor: fc.constantFrom(600, 1_000_000) }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
type World = ReturnType<typeof createWorld>;

const shipmentOf = (orderId: string) => ({ orderId, shipmentId: orderId, carrier: 'c', trackingNumber: 't' });

/** Plays the steps on two instances that are restarted at will. Answers the instances and what was asked of them. */
const play = async (world: World, steps: readonly Step[]) => {
  const instances: [Instance, Instance] = [await world.open(), await world.open()];
  const asked = new Set<string>();
  const running: Promise<unknown>[] = [];
  const on = (index: number): Instance => instances[index === 0 ? 0 : 1];
  const start = async (work: Promise<unknown>, awaited: boolean): Promise<void> => {
    running.push(work);
    if (awaited) await work;
  };
  for (const each of steps) {
    switch (each.what) {
      case 'request': {
        const made = requests[each.which] ?? request();
        asked.add(orderIdOf(made));
        await start(on(each.on).placeOrder(made, metadata), each.awaited);
        break;
      }
      case 'sweep':
        await start(on(each.on).sweep(), each.awaited);
        break;
      case 'ship': {
        const orderId = orderIdOf(requests[each.which] ?? request());
        // Only what was charged is ever shipped; a refusal is what makes the reaction tell it again.
        if (world.payments.charged.includes(orderId))
          running.push(
            on(each.on)
              .recordShipment(shipmentOf(orderId), metadata)
              .catch(() => undefined),
          );
        break;
      }
      case 'peer-fails':
        world[each.peer].faults.push(...Array.from({ length: each.times }, () => each.fault));
        break;
      case 'log-fails':
        world.broker.failNextSends(each.fault);
        break;
      case 'restart':
        await world.close(on(each.on));
        instances[each.on === 0 ? 0 : 1] = await world.open();
        break;
      case 'time-passes':
        world.clock.ms += each.ms;
        break;
      case 'limit':
        world.payments.amountLimitMinor = each.amountMinor;
        break;
    }
  }
  await Promise.all(running);
  return { instances, asked: [...asked] };
};

/** Everything works again: sweeps until nothing is unfinished, and delivers what was charged. */
const settle = async (world: World, instances: readonly Instance[]): Promise<void> => {
  world.products.faults.length = 0;
  world.payments.faults.length = 0;
  const unfinished = (): boolean =>
    instances.some(({ view }) =>
      view.list({ limit: 10 }).some(({ status }) => status === 'CREATED' || status === 'PAYMENT_PENDING'),
    );
  for (let round = 0; round < ROUNDS_MAX && unfinished(); round += 1) {
    world.clock.ms += 61_000;
    await Promise.all(instances.map(({ sweep }) => sweep()));
  }
  for (const orderId of world.payments.charged) {
    await Promise.all(instances.map((each) => each.recordShipment(shipmentOf(orderId), metadata)));
  }
};

describe('whatever fails, restarts, repeats and races', () => {
  it('every order is settled once, shipped exactly when charged, and a replay gives the same state', async () => {
    const ends = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        await using world = createWorld({ stock: STOCK });
        const { instances, asked } = await play(world, steps);
        await settle(world, instances);
        const replayed = await world.open();
        const recorded = asked.filter((orderId) => replayed.view.get(orderId) !== undefined);
        for (const orderId of recorded) {
          const history = replayed.history(orderId);
          const count = (type: (typeof history)[number]): number =>
            history.filter((each) => each === type).length;
          const charged = world.payments.charged.includes(orderId);
          expect(replayed.view.get(orderId)?.status).toBe(charged ? 'SHIPPED' : 'CANCELLED');
          expect(count('OrderCreated')).toBe(1);
          expect([count('OrderPaid'), count('OrderShipped')]).toEqual(charged ? [1, 1] : [0, 0]);
          expect(count('OrderCancelled')).toBe(charged ? 0 : 1);
          ends.set(history.join(' '), (ends.get(history.join(' ')) ?? 0) + 1);
        }
        for (const orderId of world.payments.charged) expect(recorded).toContain(orderId);
        for (const { view } of instances) {
          await expect.poll(() => view.stateHash(), { interval: 1 }).toBe(replayed.view.stateHash());
        }
      }),
      { seed: 20_261_124, numRuns: 120 },
    );
    // The steps did reach the ends that matter.
    const reached = [...ends.keys()];
    expect(reached).toContain('OrderCreated PaymentStarted OrderPaid OrderShipped');
    expect(reached).toContain('OrderCreated PaymentStarted PaymentStarted OrderPaid OrderShipped');
    expect(reached).toContain('OrderCreated OrderCancelled');
    expect(reached).toContain('OrderCreated PaymentStarted OrderCancelled');
  }, 240_000);
});

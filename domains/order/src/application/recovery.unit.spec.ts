import { setImmediate as giveWay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createWorld, metadata, orderIdOf, request } from '../../testing/world.ts';
import { createRecovery, type UnfinishedRow } from './recovery.ts';

const GRACE_MS = 2_000;
const rowOf = (n: number): UnfinishedRow => ({
  orderId: String(n).padStart(4, '0'),
  createdAtMs: 0,
  correlationId: `c-${n}`,
  traceparent: undefined,
});
const settled = { kind: 'settled', state: { status: 'NONE' } } as const;
const never = new AbortController().signal;

const over = (
  rows: readonly UnfinishedRow[],
  advance: Parameters<typeof createRecovery>[0]['advance'] = () => Promise.resolve(settled),
) => {
  const advanced: string[] = [];
  const failed: string[] = [];
  const sweep = createRecovery({
    unfinished: {
      list: ({ limit, after = '' }) => rows.filter(({ orderId }) => orderId > after).slice(0, limit),
    },
    advance: (orderId, context) => {
      advanced.push(orderId);
      return advance(orderId, context);
    },
    onBehalfOf: (_row, fn) => fn(),
    failed: (orderId) => failed.push(orderId),
    giveWay,
    now: () => GRACE_MS,
  });
  return { sweep, advanced, failed };
};

describe('a sweep over unfinished orders', () => {
  it('settles in a fresh process what another one left unfinished, and then finds nothing to do', async () => {
    await using world = createWorld();
    const first = await world.open();
    world.payments.faults.push('after');
    await first.placeOrder(request(), metadata);
    await world.close(first);
    const second = await world.open();
    world.clock.ms += GRACE_MS;
    expect(await second.sweep()).toBe(1);
    expect(await second.sweep()).toBe(0);
    expect(second.history(orderIdOf(request()))).toEqual(['OrderCreated', 'PaymentStarted', 'OrderPaid']);
    expect(world.payments.charged).toHaveLength(1);
  });

  it('leaves an order to its request at first', async () => {
    await using world = createWorld();
    const { placeOrder, sweep } = await world.open();
    world.payments.faults.push('before');
    await placeOrder(request(), metadata);
    world.clock.ms += GRACE_MS - 1;
    expect(await sweep()).toBe(0);
    expect(world.payments.calls).toBe(1);
  });

  it('by two instances at the same time settles every order once', async () => {
    await using world = createWorld();
    const instances = [await world.open(), await world.open()];
    const requests = Array.from({ length: 20 }, (_, n) => request({ idempotencyKey: `k-${n}`, quantity: 1 }));
    world.payments.faults.push(...requests.map(() => 'before' as const));
    for (const each of requests) await instances[0]?.placeOrder(each, metadata);
    world.clock.ms += GRACE_MS;
    const last = requests.map(orderIdOf);
    await expect.poll(() => instances[1]?.view.size).toBe(requests.length);
    await Promise.all(instances.map(({ sweep }) => sweep()));
    for (const { history, view } of instances) {
      await expect
        .poll(() => last.map((orderId) => view.get(orderId)?.status))
        .toEqual(last.map(() => 'PAID'));
      for (const orderId of last) {
        expect(history(orderId)).toEqual(['OrderCreated', 'PaymentStarted', 'OrderPaid']);
      }
    }
    expect([...world.payments.charged].sort()).toEqual([...last].sort());
  });

  it('is not held up by an order that throws, and reports it', async () => {
    const { sweep, advanced, failed } = over([1, 2, 3].map(rowOf), (orderId) =>
      orderId === '0001' ? Promise.reject(new Error('broken')) : Promise.resolve(settled),
    );
    expect(await sweep(never)).toBe(2);
    expect(advanced).toEqual(['0001', '0002', '0003']);
    expect(failed).toEqual(['0001']);
  });

  it('comes to every order, however many there are, and starts over at the end', async () => {
    const rows = Array.from({ length: 450 }, (_, n) => rowOf(n));
    const { sweep, advanced } = over(rows);
    for (let sweeps = 0; sweeps < 3; sweeps += 1) await sweep(never);
    expect(advanced).toEqual(rows.map(({ orderId }) => orderId));
    await sweep(never);
    expect(advanced[450]).toBe('0000');
  });

  it('lets requests be answered between its orders: while a breaker is open, none of them waits for anything', async () => {
    const { sweep, advanced } = over(Array.from({ length: 200 }, (_, n) => rowOf(n)));
    let turns = 0;
    let done = false;
    const count = (): void => {
      turns += 1;
      if (!done) setImmediate(count);
    };
    setImmediate(count);
    await sweep(never);
    done = true;
    expect(advanced).toHaveLength(200);
    expect(turns).toBeGreaterThanOrEqual(200 / 8);
  });

  it('begins no further order once it is told to stop, and ends those that it began', async () => {
    const stop = new AbortController();
    const rows = Array.from({ length: 100 }, (_, n) => rowOf(n));
    let ended = 0;
    const { sweep, advanced } = over(rows, async () => {
      stop.abort();
      await Promise.resolve();
      ended += 1;
      return settled;
    });
    await sweep(stop.signal);
    expect(advanced.length).toBeLessThanOrEqual(8);
    expect(ended).toBe(advanced.length);
  });
});

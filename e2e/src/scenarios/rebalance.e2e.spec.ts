import { setTimeout as delay } from 'node:timers/promises';
import { notificationEvents, orderEvents, paymentEvents, shippingEvents } from '@parley/contracts/topics';
import { deriveId } from '@parley/event-log/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { Customer } from '../client.ts';
import { ExtraNotification } from '../extra-instance.ts';
import { placeUntilTaken } from '../in-flight.ts';
import { evidence } from '../ledger/evidence.ts';
import { loadUntil } from '../load.ts';
import { groupPosition, readTopic, type AcceptedRecord } from '../log.ts';
import { readStack } from '../stack.ts';
import { waitFor } from '../wait.ts';
import { untilWell } from '../well.ts';

const stack = readStack();
const productId = 'cinder-earbuds';
const group = 'parley.notification.on-payment';
const runMs = 30_000;
const runMsMax = 240_000;
const leavesMin = 3;
const extraMax = 3;
const changeEveryMs = 2_000;
/** Asked for; a machine that gives less is told apart in the evidence. */
const askedPerSecond = 50;
const inFlightMax = 24;
const settledDeadlineMs = 300_000;
afterAll(() => untilWell(stack));

/** Ends when enough has come and gone. */
interface Run {
  readonly startedAtMs: number;
  over: boolean;
  /** Requests that failed and were sent again. */
  refusals: number;
}

/** Places orders in an open loop for as long as the run lasts, at most so many at a time. */
const load = async (customer: Customer, run: Run): Promise<readonly string[]> => {
  const orderIds: string[] = [];
  const place = async (): Promise<void> => {
    orderIds.push(await placeUntilTaken(customer, productId, () => (run.refusals += 1)));
  };
  try {
    await loadUntil({ perSecond: askedPerSecond, inFlightMax, isOver: () => run.over }, place);
  } finally {
    run.over = true;
  }
  return orderIds;
};

interface Changes {
  joins: number;
  leaves: number;
  kills: number;
}

/**
 * Every two seconds an instance is started, or the oldest one that its group has let in goes: the second one by `kill -9`.
 * Lasts 30 s, and longer (4 min at most) on a machine on which too few have come and gone by then.
 */
const comeAndGo = async (run: Run): Promise<Changes> => {
  const changes: Changes = { joins: 0, leaves: 0, kills: 0 };
  const running: ExtraNotification[] = [];
  const ending: Promise<void>[] = [];
  const isEnough = (): boolean => {
    const forMs = performance.now() - run.startedAtMs;
    return run.over || forMs > runMsMax || (forMs > runMs && changes.leaves >= leavesMin);
  };
  try {
    for (let tick = 0; !isEnough(); tick += 1) {
      const leaver = tick % 2 === 1 ? running.find(({ isReady }) => isReady) : undefined;
      if (leaver !== undefined) {
        const isKilled = changes.leaves === 1;
        running.splice(running.indexOf(leaver), 1);
        ending.push(leaver.end(isKilled ? 'SIGKILL' : 'SIGTERM'));
        changes.leaves += 1;
        if (isKilled) changes.kills += 1;
      } else if (running.length < extraMax) {
        running.push(new ExtraNotification(stack, `notification-extra-${String(tick)}`));
        changes.joins += 1;
      }
      await delay(changeEveryMs);
    }
  } finally {
    run.over = true;
    await Promise.all([...ending, ...running.map((each) => each.end('SIGTERM'))]);
  }
  return changes;
};

/** How many members the group had, as the broker tells, and how often that changed. */
const watchGroup = async (run: Run): Promise<{ readonly membersMax: number; readonly seen: number }> => {
  const states: string[] = [];
  let membersMax = 0;
  try {
    while (!run.over) {
      const { state, members } = await groupPosition(stack, group, paymentEvents.name);
      membersMax = Math.max(membersMax, members);
      if (states.at(-1) !== `${state} ${String(members)}`) states.push(`${state} ${String(members)}`);
      await delay(250);
    }
  } finally {
    run.over = true;
  }
  return { membersMax, seen: states.length - 1 };
};

const firstOf = (records: readonly AcceptedRecord[], type: string): ReadonlyMap<string, AcceptedRecord[]> => {
  const byOrder = new Map<string, AcceptedRecord[]>();
  for (const record of records) {
    if (record.type !== type) continue;
    const orderId = record.streamId.slice(record.streamId.indexOf('-') + 1);
    byOrder.set(orderId, [...(byOrder.get(orderId) ?? []), record]);
  }
  return byOrder;
};

describe('instances of notification that come and go every two seconds under load, one by kill -9', () => {
  it(
    'lose no payment and act on none twice: every order is notified and shipped once, each step caused by the one before it (EC-4)',
    { timeout: 1_200_000 },
    async (context) => {
      const customer = await Customer.of(stack, 'rebalance');
      const run: Run = { startedAtMs: performance.now(), over: false, refusals: 0 };
      const [orderIds, changes, watched] = await Promise.all([
        load(customer, run),
        comeAndGo(run),
        watchGroup(run),
      ]);
      const lastedMs = Math.round(performance.now() - run.startedAtMs);
      const lastTakenAt = performance.now();
      const wanted = new Set(orderIds);
      const counts = await waitFor(
        'every order to be SHIPPED',
        async () => {
          const shipped = firstOf((await readTopic(stack, orderEvents.name)).accepted, 'OrderShipped');
          return orderIds.every((id) => shipped.has(id)) ? shipped : undefined;
        },
        { deadlineMs: settledDeadlineMs, intervalMs: 1_000 },
      );
      const allShippedAfterMs = Math.round(performance.now() - lastTakenAt);
      const steps = [
        firstOf((await readTopic(stack, paymentEvents.name)).accepted, 'PaymentCompleted'),
        firstOf((await readTopic(stack, notificationEvents.name)).accepted, 'NotificationSent'),
        firstOf((await readTopic(stack, shippingEvents.name)).accepted, 'ShipmentDispatched'),
        counts,
      ];
      for (const step of steps) {
        const ofOrders = [...step].filter(([orderId]) => wanted.has(orderId));
        expect(ofOrders.filter(([, records]) => records.length !== 1)).toEqual([]);
        expect(ofOrders).toHaveLength(orderIds.length);
      }
      const [paid, notified, dispatched, shipped] = steps;
      for (const orderId of orderIds) {
        const paymentEventId = paid?.get(orderId)?.[0]?.eventId ?? '';
        expect(notified?.get(orderId)?.[0]?.causationId).toBe(paymentEventId);
        const requestId = deriveId('shipping-request', paymentEventId);
        expect(dispatched?.get(orderId)?.[0]?.causationId).toBe(requestId);
        expect(shipped?.get(orderId)?.[0]?.causationId).toBe(dispatched?.get(orderId)?.[0]?.eventId);
      }
      expect(changes.kills).toBe(1);
      expect(watched.membersMax).toBeGreaterThanOrEqual(2);
      // The stack has its one member again, which stands at the end of every partition.
      await waitFor(
        'the group to be as before',
        async () => {
          const { state, members } = await groupPosition(stack, group, paymentEvents.name);
          return state === 'Stable' && members === 1 ? true : undefined;
        },
        { deadlineMs: 120_000, intervalMs: 500 },
      );
      const figures = {
        orders: orderIds.length,
        refusedAndSentAgain: run.refusals,
        askedPerSecond,
        gotPerSecond: Math.round((orderIds.length / lastedMs) * 10_000) / 10,
        lastedMs,
        ...changes,
        membersMax: watched.membersMax,
        groupStatesSeen: watched.seen,
        notifiedOnce: orderIds.length,
        shippedOnce: orderIds.length,
        allShippedAfterMs,
      };
      evidence(context, ['EC-4'], figures);
      process.stdout.write(`rebalance: ${JSON.stringify(figures)}\n`);
    },
  );
});

import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { OrderResource, Problem } from '@parley/contracts/rest';
import { paymentEvents, shippingEvents, type EventTopic } from '@parley/contracts/topics';
import { expect } from 'vitest';
import type { Answer, Customer } from './client.ts';
import { countByStream, readTopic } from './log.ts';
import type { StackUnderTest } from './stack.ts';
import { NeverError, waitFor } from './wait.ts';

const takenDeadlineMs = 180_000;
const shippedDeadlineMs = 180_000;
/** Between two orders, so that some are at every stage when something breaks. */
const pacingMs = 25;

/** What became of orders that were placed while something broke. */
export interface Outcome {
  readonly orderIds: readonly string[];
  /** Orders that were taken, but not all of them, when it broke. */
  readonly takenBefore: number;
  readonly requests: number;
  /** Requests that failed on the way, by the code of their problem, `no-answer` when there was none. */
  readonly refusals: Readonly<Record<string, number>>;
  /** From the break until the last order was SHIPPED. */
  readonly allShippedAfterMs: number;
}

/**
 * The answer that takes an order, which is sent again under the same key until then: what a client does, and what must not
 * order twice. `refused` is told of each request that failed on the way, as `Outcome.refusals` names it.
 */
export const untilTaken = (
  send: () => Promise<Answer>,
  refused: (code: string) => void = () => undefined,
): Promise<Answer> => {
  const look = async (): Promise<Answer | undefined> => {
    const answer = await send().catch(() => undefined);
    if (answer?.status === 201 || answer?.status === 202) return answer;
    const code = answer === undefined ? 'no-answer' : Problem.parse(answer.body).code;
    refused(code);
    if (answer !== undefined && answer.status < 500) throw new NeverError(`refused for good: ${code}`);
    return undefined;
  };
  return waitFor('an order to be taken', look, { deadlineMs: takenDeadlineMs, intervalMs: 200 });
};

/** Places an order of one as `untilTaken` does; answers its id. */
export const placeUntilTaken = async (
  customer: Customer,
  productId: string,
  refused?: (code: string) => void,
): Promise<string> => {
  const idempotencyKey = randomUUID();
  const answer = await untilTaken(() => customer.order({ productId, quantity: 1, idempotencyKey }), refused);
  return OrderResource.parse(answer.body).orderId;
};

/** Places orders and breaks something as soon as a quarter of them is taken; every order is SHIPPED when it resolves. */
export const placeWhileBreaking = async (
  customer: Customer,
  { orders, productId, breakIt }: { orders: number; productId: string; breakIt: () => void },
): Promise<Outcome> => {
  const refusals: Record<string, number> = {};
  let requests = 0;
  let taken = 0;
  let takenBefore = 0;
  let brokenAt = 0;
  const place = async (index: number): Promise<string> => {
    await delay(index * pacingMs);
    const idempotencyKey = randomUUID();
    const send = (): Promise<Answer> => {
      requests += 1;
      return customer.order({ productId, quantity: 1, idempotencyKey });
    };
    const answer = await untilTaken(send, (code) => {
      refusals[code] = (refusals[code] ?? 0) + 1;
    });
    taken += 1;
    if (taken === Math.ceil(orders / 4)) {
      takenBefore = taken;
      brokenAt = performance.now();
      breakIt();
    }
    return OrderResource.parse(answer.body).orderId;
  };
  const orderIds = await Promise.all(Array.from({ length: orders }, (_, index) => place(index)));
  await Promise.all(orderIds.map((id) => customer.status(id, 'SHIPPED', shippedDeadlineMs)));
  const allShippedAfterMs = Math.round(performance.now() - brokenAt);
  return { orderIds, takenBefore, requests, refusals, allShippedAfterMs };
};

const occurrences = async (
  stack: StackUnderTest,
  topic: Pick<EventTopic<never>, 'name'>,
  { type, streams }: { type: string; streams: readonly string[] },
): Promise<readonly number[]> => {
  const counts = countByStream((await readTopic(stack, topic.name)).accepted, type);
  return streams.map((stream) => counts.get(stream) ?? 0);
};

/** In the log, each of the orders is paid exactly once and shipped exactly once. Answers how often it counted. */
export const expectOnce = async (
  stack: StackUnderTest,
  orderIds: readonly string[],
): Promise<{ readonly paid: number; readonly shipped: number }> => {
  const once = orderIds.map(() => 1);
  expect(new Set(orderIds).size).toBe(orderIds.length);
  const payments = { type: 'PaymentCompleted', streams: orderIds.map((id) => `payment-${id}`) };
  const shipments = { type: 'ShipmentDispatched', streams: orderIds.map((id) => `shipment-${id}`) };
  const paid = await occurrences(stack, paymentEvents, payments);
  const shipped = await occurrences(stack, shippingEvents, shipments);
  expect(paid).toEqual(once);
  expect(shipped).toEqual(once);
  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
  return { paid: sum(paid), shipped: sum(shipped) };
};

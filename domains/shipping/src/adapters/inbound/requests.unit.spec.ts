import { deadLetter, done } from '@parley/delivery';
import { shippingRequests } from '@parley/contracts/queues';
import { openMemoryLog } from '@parley/event-log';
import { shipments } from '@parley/projection-shipments';
import type { IncomingMessage } from '@parley/work-queue';
import { InMemoryBroker } from '@parley/work-queue/testing';
import fc from 'fast-check';
import { currentContext } from '@parley/service';
import { describe, expect, it } from 'vitest';
import { createDispatch, shipmentAggregate, type Dispatch } from '../../application/dispatch.ts';
import { requestConsumer } from './requests.ts';

const id = '00000000-0000-4000-8000-000000000001';
const request = {
  requestId: id,
  orderId: id,
  customerId: 'alice',
  paymentId: id,
  notificationId: id,
  requestedAt: 1_000,
};
const context = { signal: new AbortController().signal };
const limits = { prefetch: 64, attempts: 100 };
const logger = { info: () => undefined, error: () => undefined };

const delivery = (body: string, change: Partial<IncomingMessage> = {}): IncomingMessage => ({
  messageId: id,
  type: 'ShippingRequested',
  body: Buffer.from(body),
  correlationId: 'corr-1',
  headers: {},
  redelivered: false,
  attempt: 1,
  ...change,
});
const answering = (outcome: Awaited<ReturnType<Dispatch>>) => {
  const asked: Parameters<Dispatch>[] = [];
  const dispatch: Dispatch = (...args) => {
    asked.push(args);
    return Promise.resolve(outcome);
  };
  return { onRequest: requestConsumer({ dispatch, logger }, limits).handle, asked };
};

describe('a shipping request', () => {
  it.each([false, true])('is acknowledged once dispatched (repeated: %s)', async (repeated) => {
    const { onRequest, asked } = answering({ kind: 'dispatched', repeated });
    expect(await onRequest(delivery(JSON.stringify(request)), context)).toEqual(done);
    expect(asked).toEqual([[request, { correlationId: 'corr-1' }]]);
  });

  it('names its order to people as far as it says one, and is refused once edited to what is none', () => {
    const dispatch: Dispatch = () => Promise.reject(new Error('nothing is dispatched'));
    const { letters } = requestConsumer({ dispatch, logger }, limits);
    const body = (change: object): Buffer => Buffer.from(JSON.stringify({ ...request, ...change }));
    expect(letters?.subjectOf?.(body({ paymentId: 'x' }))).toBe(`shipment-${id}`);
    expect(letters?.subjectOf?.(body({ orderId: 'x' }))).toBeUndefined();
    expect(letters?.subjectOf?.(Buffer.from('{'))).toBeUndefined();
    expect(letters?.problemOf?.(body({ paymentId: 'x' }))).toContain('paymentId: invalid_format');
    expect(letters?.problemOf?.(body({}))).toBeUndefined();
  });

  it.each([
    ['{'],
    ['"text"'],
    [JSON.stringify({ ...request, orderId: 'x' })],
    [JSON.stringify({ ...request, paymentId: undefined })],
  ])('that is not one goes to the dead letters with its reason: %s', async (body) => {
    const { onRequest, asked } = answering({ kind: 'dispatched', repeated: false });
    const verdict = await onRequest(delivery(body), context);
    expect(verdict).toMatchObject({
      kind: 'dead-letter',
      reason: expect.stringMatching(/^not a ShippingRequested: /) as string,
    });
    expect(asked).toEqual([]);
  });

  it('of a newer producer is worked on without the field that this consumer does not know', async () => {
    const { onRequest, asked } = answering({ kind: 'dispatched', repeated: false });
    expect(await onRequest(delivery(JSON.stringify({ ...request, more: 1 })), context)).toEqual(done);
    expect(asked).toEqual([[request, { correlationId: 'corr-1' }]]);
  });

  it('for an order that left under another request goes to the dead letters', async () => {
    const { onRequest } = answering({
      kind: 'refused',
      rejection: { type: 'AlreadyDispatched', orderId: id, shipmentId: 's1' },
    });
    expect(await onRequest(delivery(JSON.stringify(request)), context)).toEqual(
      deadLetter('already dispatched as shipment s1'),
    );
  });

  it.each(['conflict', 'unavailable', 'unknown'] as const)(
    'is tried again, however often, while the log does not confirm: %s',
    async (why) => {
      const { onRequest } = answering({ kind: 'unconfirmed', why });
      expect(await onRequest(delivery(JSON.stringify(request)), context)).toMatchObject({ kind: 'not-yet' });
    },
  );

  it('without a correlation id goes by its message id', async () => {
    const { onRequest, asked } = answering({ kind: 'dispatched', repeated: false });
    await onRequest(delivery(JSON.stringify(request), { correlationId: '' }), context);
    expect(asked[0]?.[1]).toEqual({ correlationId: id });
  });

  it.each([
    ['a line break', 'corr\r\nx-user-id: mallory'],
    ['a control character', 'corr\u0000'],
    ['too much', 'c'.repeat(65)],
    ['a script', '<script>'],
  ])('with %s in its correlation id is worked on under a fresh one', async (_what, correlationId) => {
    const asked: string[] = [];
    const seen: string[] = [];
    const dispatch: Dispatch = (_request, given) => {
      asked.push(given.correlationId);
      return Promise.resolve({ kind: 'dispatched', repeated: false });
    };
    const telling = { ...logger, info: () => void seen.push(currentContext().correlationId) };
    const { handle } = requestConsumer({ dispatch, logger: telling }, limits);
    for (const change of [{ correlationId }, { correlationId: '', messageId: correlationId }]) {
      expect(await handle(delivery(JSON.stringify(request), change), context)).toEqual(done);
    }
    expect(asked).toHaveLength(2);
    expect(seen).toEqual(asked);
    for (const each of asked) expect(each).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('shipping requests on a queue', () => {
  const idOf = (kind: string, n: number): string =>
    `00000000-0000-4000-8000-${kind}${String(n).padStart(10, '0')}`;
  const requestFor = (n: number) => ({ ...request, requestId: idOf('bb', n), orderId: idOf('00', n) });

  it(
    'come to the same shipments in any order, with any repetitions, redeliveries and two consumers',
    { timeout: 60_000 },
    async () => {
      const orders = [1, 2, 3, 4, 5];
      const outcomes = new Set<string>();
      await fc.assert(
        fc.asyncProperty(
          fc.shuffledSubarray(orders, { minLength: orders.length }),
          fc.array(fc.constantFrom(...orders), { maxLength: 8 }),
          fc.nat({ max: 3 }),
          async (order, repetitions, crashes) => {
            const log = openMemoryLog();
            const view = log.project(shipments);
            const aggregate = log.aggregate(shipmentAggregate);
            await log.start();
            const dispatch = createDispatch({ shipments: aggregate, now: () => 2_000 });
            const broker = new InMemoryBroker();
            const publisher = broker.connect().publisher(shippingRequests);
            for (const n of [...order, ...repetitions]) {
              const body = Buffer.from(JSON.stringify(requestFor(n)));
              const type = shippingRequests.messageType;
              await publisher.publish({ messageId: idOf('bb', n), type, body, correlationId: `c-${n}` });
            }
            for (let n = 0; n < crashes; n += 1) broker.crashHolding(shippingRequests);
            let worked = 0;
            const counting: Dispatch = async (...args) => {
              const outcome = await dispatch(...args);
              worked += 1;
              return outcome;
            };
            const queues = [broker.connect(), broker.connect()];
            for (const queue of queues)
              queue.consume(shippingRequests, requestConsumer({ dispatch: counting, logger }, limits));
            await expect
              .poll(() => worked, { interval: 1, timeout: 5_000 })
              .toBe(order.length + repetitions.length);
            await Promise.all(queues.map((queue) => queue.close()));
            expect(broker.waiting(shippingRequests)).toBe(0);
            expect(broker.deadLetters(shippingRequests)).toEqual([]);
            expect(view.progress().accepted).toBe(orders.length);
            outcomes.add(view.stateHash());
            await log.close();
          },
        ),
        { numRuns: 25 },
      );
      expect(outcomes.size).toBe(1);
    },
  );
});

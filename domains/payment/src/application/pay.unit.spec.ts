import type { PaymentEvent } from '@parley/contracts/events';
import type { PaymentRequest } from '@parley/contracts/rest';
import { createMemoryBroker, type Aggregates } from '@parley/event-log';
import { recordingLog } from '@parley/event-log/testing';
import { payments } from '@parley/projection-payments';
import { describe, expect, it } from 'vitest';
import { AMOUNT_LIMIT_MINOR } from '../core/decide.ts';
import type { PaymentState } from '../core/payment.ts';
import { createPay, createVoid, paymentAggregate } from './pay.ts';

const request: PaymentRequest = {
  orderId: '00000000-0000-4000-8000-000000000001',
  customerId: 'alice',
  amount: { amountMinor: 1250, currency: 'EUR' },
};
const metadata = { correlationId: 'test' };

const setUp = async (broker = createMemoryBroker()) => {
  const log = await recordingLog(paymentAggregate, payments, broker);
  let nowMs = 1_000;
  const deps = { payments: log.aggregates, now: () => (nowMs += 1) };
  return { ...log, pay: createPay(deps), voidPayment: createVoid(deps) };
};

describe('pay', () => {
  it('settles the payment of an order with both facts in one commit', async () => {
    await using world = await setUp();
    const { pay, recorded } = world;
    expect(await pay(request, metadata)).toMatchObject({
      kind: 'settled',
      payment: { status: 'COMPLETED', terms: { orderId: request.orderId, amountMinor: 1250 } },
    });
    expect(recorded().map((event) => event.type)).toEqual(['PaymentInitiated', 'PaymentCompleted']);
    expect(world.view.get(request.orderId)).toMatchObject({ status: 'COMPLETED', customerId: 'alice' });
  });

  it('answers a repetition with the same payment, also when requests race', async () => {
    await using world = await setUp();
    const { pay, recorded } = world;
    const answers = await Promise.all(Array.from({ length: 20 }, () => pay(request, metadata)));
    const later = await pay(request, metadata);
    for (const answer of answers) expect(answer).toEqual(later);
    expect(recorded()).toHaveLength(2);
  });

  it('answers a repetition of a declined payment with the same refusal', async () => {
    await using world = await setUp();
    const { pay } = world;
    const large = { ...request, amount: { amountMinor: AMOUNT_LIMIT_MINOR + 1, currency: 'EUR' } };
    const first = await pay(large, metadata);
    expect(first).toMatchObject({ payment: { status: 'FAILED', reason: 'AMOUNT_LIMIT_EXCEEDED' } });
    expect(await pay(large, metadata)).toEqual(first);
  });

  it('refuses other terms for the same order and leaves the payment as it is', async () => {
    await using world = await setUp();
    const { pay, recorded } = world;
    await pay(request, metadata);
    expect(await pay({ ...request, customerId: 'bob' }, metadata)).toMatchObject({
      kind: 'refused',
      rejection: { type: 'TermsDiffer', fields: ['customerId'] },
    });
    expect(recorded()).toHaveLength(2);
  });

  it('reports what the log did not confirm, by name', async () => {
    const silentLog: Pick<Aggregates<PaymentState, PaymentEvent>, 'execute'> = {
      execute: () => Promise.resolve({ kind: 'unknown', commitId: 'c' }),
    };
    const pay = createPay({ payments: silentLog, now: () => 1 });
    expect(await pay(request, metadata)).toEqual({
      kind: 'failed',
      failure: { kind: 'unknown', commitId: 'c' },
    });
  });
});

describe('void', () => {
  const { orderId } = request;

  it('refuses every payment behind it, and is the same when it is repeated', async () => {
    await using world = await setUp();
    expect(await world.voidPayment(orderId, metadata)).toEqual({ kind: 'voided' });
    expect(await world.voidPayment(orderId, metadata)).toEqual({ kind: 'voided' });
    expect(await world.pay(request, metadata)).toEqual({
      kind: 'refused',
      rejection: { type: 'PaymentIsVoid', orderId },
    });
    expect(world.recorded().map((event) => event.type)).toEqual(['PaymentVoided']);
    expect(world.view.get(orderId)).toBeUndefined();
  });

  it('answers the payment that the order has and leaves it', async () => {
    await using world = await setUp();
    const paid = await world.pay(request, metadata);
    expect(await world.voidPayment(orderId, metadata)).toEqual(paid);
    expect(world.view.get(orderId)).toMatchObject({ status: 'COMPLETED' });
  });

  it('races with a payment at another instance: one of them is in the log, and both callers hear which', async () => {
    const broker = createMemoryBroker();
    await using one = await setUp(broker);
    await using other = await setUp(broker);
    for (let n = 0; n < 50; n++) {
      const racing = { ...request, orderId: `00000000-0000-4000-8000-0000000000${String(n + 10)}` };
      const calls = [
        () => one.pay(racing, metadata),
        () => other.voidPayment(racing.orderId, metadata),
      ] as const;
      const [first, second] = n % 2 === 0 ? calls : ([calls[1], calls[0]] as const);
      const kinds = (await Promise.all([first(), second()])).map(({ kind }) => kind);
      expect([
        ['settled', 'settled'],
        ['refused', 'voided'],
      ]).toContainEqual(kinds.sort());
    }
    expect(one.recorded()).toEqual(other.recorded());
  });

  it('reports what the log did not confirm, by name', async () => {
    const silentLog: Pick<Aggregates<PaymentState, PaymentEvent>, 'execute'> = {
      execute: () => Promise.resolve({ kind: 'unavailable', reason: 'disconnected' }),
    };
    const voidPayment = createVoid({ payments: silentLog, now: () => 1 });
    expect(await voidPayment(orderId, metadata)).toEqual({
      kind: 'failed',
      failure: { kind: 'unavailable', reason: 'disconnected' },
    });
  });
});

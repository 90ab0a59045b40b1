import { createHash } from 'node:crypto';
import type { PaymentEvent } from '@parley/contracts/events';
import type { PaymentRequest } from '@parley/contracts/rest';
import type { Aggregates } from '@parley/event-log';
import { describe, expect, it } from 'vitest';
import { AMOUNT_LIMIT_MINOR } from '../core/decide.ts';
import type { PaymentState } from '../core/payment.ts';
import { createPay, paymentAggregate } from './pay.ts';

const request: PaymentRequest = {
  orderId: '00000000-0000-4000-8000-000000000001',
  customerId: 'alice',
  amount: { amountMinor: 1250, currency: 'EUR' },
};
const metadata = { correlationId: 'test' };

/** The write port over plain memory: decides in call order, remembers commands, and folds what it accepts. */
const memory = () => {
  const states = new Map<string, { state: PaymentState; version: number }>();
  const commands = new Set<string>();
  const recorded: PaymentEvent[] = [];
  const execute: Aggregates<PaymentState, PaymentEvent>['execute'] = async ({
    streamId,
    commandId,
    decide,
  }) => {
    await Promise.resolve();
    const { state, version } = states.get(streamId) ?? { state: paymentAggregate.initial, version: 0 };
    const position = { topic: paymentAggregate.topic.name, partition: 0, offset: recorded.length };
    if (commands.has(commandId)) return { kind: 'duplicate', state, version, position };
    const decision = decide(state, version);
    if (decision.kind === 'refused') return { ...decision, state, version };
    if (decision.events.length === 0) return { kind: 'unchanged', state, version };
    const after = {
      state: decision.events.reduce(paymentAggregate.evolve, state),
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
  const payments = memory();
  let nowMs = 1_000;
  return { pay: createPay({ payments, deriveId, now: () => (nowMs += 1) }), recorded: payments.recorded };
};

describe('pay', () => {
  it('settles the payment of an order with both facts in one commit', async () => {
    const { pay, recorded } = setUp();
    expect(await pay(request, metadata)).toMatchObject({
      kind: 'settled',
      payment: { status: 'COMPLETED', terms: { orderId: request.orderId, amountMinor: 1250 } },
    });
    expect(recorded.map((event) => event.type)).toEqual(['PaymentInitiated', 'PaymentCompleted']);
  });

  it('answers a repetition with the same payment, also when requests race', async () => {
    const { pay, recorded } = setUp();
    const answers = await Promise.all(Array.from({ length: 20 }, () => pay(request, metadata)));
    const later = await pay(request, metadata);
    for (const answer of answers) expect(answer).toEqual(later);
    expect(recorded).toHaveLength(2);
  });

  it('answers a repetition of a declined payment with the same refusal', async () => {
    const { pay } = setUp();
    const large = { ...request, amount: { amountMinor: AMOUNT_LIMIT_MINOR + 1, currency: 'EUR' } };
    const first = await pay(large, metadata);
    expect(first).toMatchObject({ payment: { status: 'FAILED', reason: 'AMOUNT_LIMIT_EXCEEDED' } });
    expect(await pay(large, metadata)).toEqual(first);
  });

  it('refuses other terms for the same order and leaves the payment as it is', async () => {
    const { pay, recorded } = setUp();
    await pay(request, metadata);
    expect(await pay({ ...request, customerId: 'bob' }, metadata)).toMatchObject({
      kind: 'refused',
      rejection: { type: 'TermsDiffer', fields: ['customerId'] },
    });
    expect(recorded).toHaveLength(2);
  });

  it('reports what the log did not confirm, by name', async () => {
    const silentLog: Pick<Aggregates<PaymentState, PaymentEvent>, 'execute'> = {
      execute: () => Promise.resolve({ kind: 'unknown', commitId: 'c' }),
    };
    const pay = createPay({ payments: silentLog, deriveId, now: () => 1 });
    expect(await pay(request, metadata)).toEqual({
      kind: 'failed',
      failure: { kind: 'unknown', commitId: 'c' },
    });
  });
});

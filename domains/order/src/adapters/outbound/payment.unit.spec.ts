import { errorCatalog, type ErrorCode } from '@parley/contracts/errors';
import { PaymentRequest, type PaymentResource } from '@parley/contracts/rest';
import {
  createPolicy,
  currentContext,
  httpInstances,
  runInContext,
  type Service,
  staticResolve,
} from '@parley/service';
import { testService } from '@parley/service/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { policyDefaults } from '../../config.ts';
import { restPayments } from './payment.ts';

const orderId = '00000000-0000-4000-8000-000000000001';
const paymentId = '00000000-0000-4000-8000-0000000000aa';
const request = { orderId, customerId: 'alice', amountMinor: 1_000, currency: 'EUR' };
const payment: PaymentResource = {
  paymentId,
  orderId,
  customerId: 'alice',
  amount: { amountMinor: 1_000, currency: 'EUR' },
  status: 'COMPLETED',
  createdAt: '2026-01-01T00:00:00.000Z',
  updatedAt: '2026-01-01T00:00:00.000Z',
};

const started: Service<ErrorCode>[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((service) => service.stop()));
});

type Context = Parameters<Service<ErrorCode>['problem']>[0];
type Answer = (c: Context, service: Service<ErrorCode>) => Response | Promise<Response>;

/** As `peer`, asked by a client that waits for so long. */
const peerWithin = async (timeoutMs: number, ...answers: readonly Answer[]) => {
  const service = testService({
    name: 'payment',
    errors: errorCatalog,
  });
  started.push(service);
  const seen: { path: string; body: unknown; correlationId: string }[] = [];
  const handle = async (c: Context): Promise<Response> => {
    const text = await c.req.text();
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    seen.push({ path: c.req.path, body, correlationId: currentContext().correlationId });
    const answer = answers[Math.min(seen.length, answers.length) - 1];
    if (answer === undefined) throw new Error('no answer');
    return answer(c, service);
  };
  service.http.post('/api/v1/payments', handle);
  service.http.post('/api/v1/payments/:orderId/void', handle);
  await service.run(() => undefined);
  const url = `http://127.0.0.1:${service.ports.http ?? 0}`;
  return {
    service,
    url,
    seen,
    payments: restPayments(
      staticResolve(httpInstances('payment', [url])),
      createPolicy({ name: 'payment', ...policyDefaults.payment, timeoutMs }),
    ),
  };
};

/** A payment service on a real socket that answers as told, one answer per request; the last one again and again. */
const peer = (...answers: readonly Answer[]) => peerWithin(5_000, ...answers);

const problem =
  (code: ErrorCode): Answer =>
  (c, service) =>
    service.problem(c, code);
const json =
  (body: object, status: 200 | 201 = 201): Answer =>
  (c) =>
    c.json(body, status);
const never: Answer = () => new Promise(() => undefined);

describe('paying over REST', () => {
  it('sends what the contract says under the correlation id of the request', async () => {
    const { payments, seen } = await peer(json(payment));
    const answer = await runInContext({ correlationId: 'corr-1' }, () => payments.pay(request));
    expect(answer).toEqual({ kind: 'completed', paymentId });
    expect(PaymentRequest.parse(seen[0]?.body)).toEqual({
      orderId,
      customerId: 'alice',
      amount: { amountMinor: 1_000, currency: 'EUR' },
    });
    expect(seen[0]?.correlationId).toBe('corr-1');
  });

  it('tells a declined payment, with a reason of bounded length', async () => {
    const { payments } = await peer(
      json({ ...payment, status: 'FAILED', declineReason: 'x'.repeat(10_000) }),
    );
    expect(await payments.pay(request)).toEqual({ kind: 'declined', reason: 'x'.repeat(200) });
  });

  it.each([
    ['no payment', {}],
    ['the payment of another order', { ...payment, orderId: paymentId }],
    ['a payment that is still pending', { ...payment, status: 'PENDING' }],
  ])('takes %s for no answer', async (_what, body) => {
    const { payments } = await peer(json(body));
    expect(await payments.pay(request)).toMatchObject({ kind: 'unavailable' });
  });

  it.each<[ErrorCode, number]>([
    ['VALIDATION_FAILED', 1],
    ['CONFLICT', 3],
    ['LOG_UNAVAILABLE', 3],
    ['INTERNAL', 1],
  ])('takes %s for no answer, after %i attempts', async (code, attempts) => {
    const { payments, seen } = await peer(problem(code));
    expect(await payments.pay(request)).toMatchObject({ kind: 'unavailable' });
    expect(seen).toHaveLength(attempts);
  });

  it('is told that the payment was given up before', async () => {
    const { payments, seen } = await peer(problem('PAYMENT_VOIDED'));
    expect(await payments.pay(request)).toEqual({ kind: 'voided' });
    expect(seen).toHaveLength(1);
  });

  it('tries again after a failure and after no answer in time', async () => {
    const { payments, seen } = await peerWithin(1_000, problem('LOG_UNAVAILABLE'), never, json(payment));
    expect(await payments.pay(request)).toEqual({ kind: 'completed', paymentId });
    expect(seen.map(({ body }) => body)).toEqual([seen[0]?.body, seen[0]?.body, seen[0]?.body]);
  });

  it('has its breaker open after five failures in a row, and then answers without asking', async () => {
    const { payments, seen } = await peer(problem('LOG_UNAVAILABLE'));
    await payments.pay(request);
    await payments.pay(request);
    expect(seen).toHaveLength(5);
    expect(await payments.pay(request)).toEqual({ kind: 'unavailable', reason: 'breaker-open' });
    expect(seen).toHaveLength(5);
  });

  it('does not open its breaker on refusals, however many', async () => {
    const { payments, seen } = await peer(problem('VALIDATION_FAILED'));
    for (let n = 0; n < 10; n += 1) await payments.pay(request);
    expect(seen).toHaveLength(10);
    expect(await payments.pay(request)).toEqual({ kind: 'unavailable', reason: 'VALIDATION_FAILED' });
  });

  it('finds a peer that is away unreachable', async () => {
    const { service, payments } = await peer(json(payment));
    await service.stop();
    expect(await payments.pay(request)).toEqual({ kind: 'unavailable', reason: 'unreachable' });
  });
});

describe('giving up a payment', () => {
  const path = `/api/v1/payments/${orderId}/void`;

  it('is told that there is none and never will be', async () => {
    const { payments, seen } = await peer(json({ orderId, voided: true }, 200));
    expect(await payments.void(request)).toEqual({ kind: 'voided' });
    expect(seen).toMatchObject([{ path, body: undefined }]);
  });

  it('is answered with the payment that the order has', async () => {
    const { payments } = await peer(json({ orderId, voided: false, payment }, 200));
    expect(await payments.void(request)).toEqual({ kind: 'completed', paymentId });
  });

  it.each<[string, object]>([
    ['another order', { orderId: paymentId, voided: true }],
    ['neither a payment nor none', { orderId, voided: false }],
    ['the payment of another order', { orderId, voided: false, payment: { ...payment, orderId: paymentId } }],
    ['nothing of the kind', payment],
  ])('takes %s for no answer', async (_what, body) => {
    const { payments } = await peer(json(body, 200));
    expect(await payments.void(request)).toMatchObject({ kind: 'unavailable' });
  });

  it.each<ErrorCode>(['PAYMENT_NOT_FOUND', 'ROUTE_NOT_FOUND', 'CONFLICT', 'INTERNAL'])(
    'takes %s for no answer',
    async (code) => {
      const { payments } = await peer(problem(code));
      expect(await payments.void(request)).toMatchObject({ kind: 'unavailable' });
    },
  );
});

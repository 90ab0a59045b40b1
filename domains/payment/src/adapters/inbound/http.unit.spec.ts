import { errorCatalog } from '@parley/contracts/errors';
import { PaymentResource, Problem, VoidedPayment } from '@parley/contracts/rest';
import type { PaymentRow } from '@parley/projection-payments';
import { testService } from '@parley/service/testing';
import { describe, expect, it } from 'vitest';
import type { Pay, PayOutcome, SettledPayment, VoidOutcome } from '../../application/pay.ts';
import { mountHttp } from './http.ts';

const orderId = '00000000-0000-4000-8000-00000000000a';
const terms = {
  paymentId: '00000000-0000-4000-8000-0000000000aa',
  orderId,
  customerId: 'alice',
  amountMinor: 1250,
  currency: 'EUR',
};
const completed: SettledPayment = {
  status: 'COMPLETED',
  terms: { ...terms, initiatedAtMs: 1_000 },
  completedAtMs: 2_000,
};
const row: PaymentRow = {
  ...terms,
  status: 'COMPLETED',
  declineReason: undefined,
  createdAtMs: 1_000,
  updatedAtMs: 2_000,
};

const appWith = (outcome: PayOutcome, voidOutcome: VoidOutcome = { kind: 'voided' }) => {
  const asked: Parameters<Pay>[] = [];
  const service = testService({
    name: 'payment',
    errors: errorCatalog,
  });
  mountHttp(service, {
    pay: (...args) => {
      asked.push(args);
      return Promise.resolve(outcome);
    },
    voidPayment: () => Promise.resolve(voidOutcome),
    payments: { get: (key) => (key === orderId ? row : undefined) },
    positionOf: (id) =>
      id === orderId ? { topic: 'parley.payment.events', partition: 2, offset: 41 } : undefined,
    retryAfterSeconds: 1,
  });
  const post = (body: unknown) =>
    service.http.request('/api/v1/payments', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-correlation-id': 'corr-1' },
      body: JSON.stringify(body),
    });
  return { http: service.http, post, asked };
};
const request = { orderId, customerId: 'alice', amount: { amountMinor: 1250, currency: 'EUR' } };

describe('POST /api/v1/payments', () => {
  it('answers 201 with the payment and hands on the correlation id', async () => {
    const { post, asked } = appWith({ kind: 'settled', payment: completed });
    const answer = await post(request);
    expect(answer.status).toBe(201);
    expect(answer.headers.get('x-parley-position')).toBe('parley.payment.events/2@41');
    expect(PaymentResource.parse(await answer.json())).toMatchObject({ status: 'COMPLETED', orderId });
    expect(asked).toEqual([[request, { correlationId: 'corr-1' }]]);
  });

  it('pays for an order under its one id, in whatever case it is written', async () => {
    const { post, asked } = appWith({ kind: 'settled', payment: completed });
    await post({ ...request, orderId: orderId.toUpperCase() });
    expect(asked).toMatchObject([[{ orderId: orderId.toLowerCase() }, {}]]);
  });

  it('answers 201 with FAILED and the reason when the payment is declined', async () => {
    const { post } = appWith({
      kind: 'settled',
      payment: {
        status: 'FAILED',
        terms: completed.terms,
        reason: 'AMOUNT_LIMIT_EXCEEDED',
        failedAtMs: 2_000,
      },
    });
    const answer = await post(request);
    expect(answer.status).toBe(201);
    expect(PaymentResource.parse(await answer.json())).toMatchObject({
      status: 'FAILED',
      declineReason: 'AMOUNT_LIMIT_EXCEEDED',
    });
  });

  it('answers the confirmed payment exactly as the read model will', async () => {
    const { post, http } = appWith({ kind: 'settled', payment: completed });
    const read = await http.request(`/api/v1/payments/${orderId}`, { headers: { 'x-user-id': 'alice' } });
    expect(await (await post(request)).json()).toEqual(await read.json());
  });

  it('names every invalid field', async () => {
    const { post, asked } = appWith({ kind: 'settled', payment: completed });
    const answer = await post({ ...request, orderId: 'x', amount: { amountMinor: -1, currency: 'eur' } });
    const problem = Problem.parse(await answer.json());
    expect(problem).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
    expect(problem.errors?.map((error) => error.path)).toEqual([
      'orderId',
      'amount.amountMinor',
      'amount.currency',
    ]);
    expect(asked).toEqual([]);
  });

  it.each<[PayOutcome, number, string, string | null]>([
    [
      { kind: 'refused', rejection: { type: 'TermsDiffer', orderId, fields: ['currency'] } },
      409,
      'CONFLICT',
      null,
    ],
    [{ kind: 'refused', rejection: { type: 'PaymentIsVoid', orderId } }, 409, 'PAYMENT_VOIDED', null],
    [{ kind: 'failed', failure: { kind: 'conflict', attempts: 5 } }, 409, 'CONFLICT', null],
    [{ kind: 'failed', failure: { kind: 'unknown', commitId: 'c' } }, 503, 'LOG_UNAVAILABLE', '1'],
    [
      { kind: 'failed', failure: { kind: 'unavailable', reason: 'disconnected' } },
      503,
      'LOG_UNAVAILABLE',
      '1',
    ],
    [{ kind: 'failed', failure: { kind: 'unavailable', reason: 'queue-full' } }, 503, 'OVERLOADED', '1'],
    [
      { kind: 'failed', failure: { kind: 'rejected', reason: 'too-large', detail: 'd' } },
      500,
      'INTERNAL',
      null,
    ],
  ])('answers %j with %i %s', async (outcome, status, code, retryAfter) => {
    const answer = await appWith(outcome).post(request);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('retry-after')).toBe(retryAfter);
    expect(Problem.parse(await answer.json())).toMatchObject({ status, code, correlationId: 'corr-1' });
  });
});

describe('GET /api/v1/payments/:orderId', () => {
  const get = (path: string, headers: Record<string, string> = {}) =>
    appWith({ kind: 'settled', payment: completed }).http.request(path, { headers });

  it.each([
    ["another customer's", orderId, { 'x-user-id': 'bob' }],
    ['an order without a payment', '00000000-0000-4000-8000-000000000009', { 'x-user-id': 'alice' }],
  ])('answers 404 for %s', async (_case, id, headers) => {
    const answer = await get(`/api/v1/payments/${id}`, headers);
    expect(Problem.parse(await answer.json())).toMatchObject({ status: 404, code: 'PAYMENT_NOT_FOUND' });
  });

  it('answers 401 to a request without a user', async () => {
    const answer = await get(`/api/v1/payments/${orderId}`);
    expect(Problem.parse(await answer.json())).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
  });
});

describe('POST /api/v1/payments/{orderId}/void', () => {
  const post = async (outcome: VoidOutcome, id = orderId) => {
    const { http } = appWith({ kind: 'settled', payment: completed }, outcome);
    return http.request(`/api/v1/payments/${id}/void`, { method: 'POST' });
  };

  it('says that there is no payment and never will be, and where that is recorded', async () => {
    const answer = await post({ kind: 'voided' });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('x-parley-position')).toBe('parley.payment.events/2@41');
    expect(VoidedPayment.parse(await answer.json())).toEqual({ orderId, voided: true });
  });

  it('answers the payment that the order has', async () => {
    const answer = await post({ kind: 'settled', payment: completed });
    expect(VoidedPayment.parse(await answer.json())).toMatchObject({
      voided: false,
      payment: { status: 'COMPLETED', orderId },
    });
  });

  it.each<[VoidOutcome, string, number, string]>([
    [{ kind: 'failed', failure: { kind: 'unknown', commitId: 'c' } }, orderId, 503, 'LOG_UNAVAILABLE'],
    [{ kind: 'voided' }, 'x', 400, 'VALIDATION_FAILED'],
  ])('refuses otherwise: %j of %s', async (outcome, id, status, code) => {
    const answer = await post(outcome, id);
    expect(Problem.parse(await answer.json())).toMatchObject({ status, code });
  });
});

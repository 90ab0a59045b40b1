import { errorCatalog, type ErrorCode } from '@parley/contracts/errors';
import { PaymentResource, VoidedPayment } from '@parley/contracts/rest';
import { createRestClient, type Policy, type Resolve, type RestAnswer } from '@parley/service';
import type { PaymentAnswer, Payments } from '../../application/ports.ts';

/** The one refusal of a payment that is an answer about it. */
const VOIDED: ErrorCode = 'PAYMENT_VOIDED';
const DECLINE_REASON_MAX = 200;
const broken: PaymentAnswer = { kind: 'unavailable', reason: 'the answer breaks the contract' };

const answerOf = (answer: RestAnswer, orderId: string): PaymentAnswer => {
  switch (answer.kind) {
    case 'ok': {
      const payment = PaymentResource.safeParse(answer.body);
      if (!payment.success || payment.data.orderId !== orderId) return broken;
      const { status, paymentId, declineReason = 'no reason given' } = payment.data;
      if (status === 'COMPLETED') return { kind: 'completed', paymentId };
      if (status === 'FAILED')
        return { kind: 'declined', reason: declineReason.slice(0, DECLINE_REASON_MAX) };
      return { kind: 'unavailable', reason: 'the payment is still pending' };
    }
    case 'problem':
      return { kind: 'unavailable', reason: answer.code };
    case 'unavailable':
      return { kind: 'unavailable', reason: answer.reason };
  }
};

/**
 * payment over REST. Repeating a request is safe: payment is idempotent by order id. Any other final refusal of ours
 * (4xx) is no answer about the payment, so it is `unavailable` too.
 */
export const restPayments = (resolve: Resolve, policy: Policy): Payments => {
  const client = createRestClient({ peer: 'payment', resolve, policy, errors: errorCatalog });
  return {
    pay: async ({ orderId, customerId, amountMinor, currency }) => {
      const body = { orderId, customerId, amount: { amountMinor, currency } };
      const answer = await client.request({
        method: 'POST',
        path: '/api/v1/payments',
        body,
        idempotent: true,
      });
      if (answer.kind === 'problem' && answer.code === VOIDED) return { kind: 'voided' };
      return answerOf(answer, orderId);
    },
    void: async ({ orderId }) => {
      const answer = await client.request({
        method: 'POST',
        path: `/api/v1/payments/${encodeURIComponent(orderId)}/void`,
        route: '/api/v1/payments/:orderId/void',
        idempotent: true,
      });
      if (answer.kind !== 'ok') return answerOf(answer, orderId);
      const given = VoidedPayment.safeParse(answer.body);
      if (!given.success || given.data.orderId !== orderId) return broken;
      return given.data.voided
        ? { kind: 'voided' }
        : answerOf({ ...answer, body: given.data.payment }, orderId);
    },
  };
};

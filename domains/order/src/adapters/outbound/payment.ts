import { PaymentResource } from '@parley/contracts/rest';
import { createPolicy, createRestClient } from '@parley/service';
import type { Payments } from '../../application/ports.ts';

const TIMEOUT_MS = 2000;

/** payment over REST. Repeating a request is safe: payment is idempotent by order id. */
export const restPayments = (baseUrl: string): Payments => {
  const policy = createPolicy({
    name: 'payment',
    timeoutMs: TIMEOUT_MS,
    retry: { attempts: 2, initialDelayMs: 50, maxDelayMs: 400 },
    breaker: { consecutiveFailures: 5, halfOpenAfterMs: 2000 },
  });
  const client = createRestClient({ peer: 'payment', baseUrl, policy });
  return {
    pay: async ({ orderId, customerId, amountMinor, currency }) => {
      const body = { orderId, customerId, amount: { amountMinor, currency } };
      const answer = await client.request({ method: 'POST', path: '/api/v1/payments', body });
      switch (answer.kind) {
        case 'ok': {
          const payment = PaymentResource.safeParse(answer.body);
          if (!payment.success) return { kind: 'unavailable', reason: 'the answer breaks the contract' };
          const { status, paymentId, declineReason } = payment.data;
          if (status === 'COMPLETED') return { kind: 'completed', paymentId };
          if (status === 'FAILED') return { kind: 'declined', reason: declineReason ?? 'no reason given' };
          return { kind: 'unavailable', reason: 'the payment is still pending' };
        }
        case 'problem':
          return { kind: 'unavailable', reason: answer.code };
        case 'unavailable':
          return { kind: 'unavailable', reason: answer.reason };
      }
    },
  };
};

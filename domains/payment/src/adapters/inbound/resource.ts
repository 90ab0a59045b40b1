import { timestampOf } from '@parley/contracts/limits';
import type { PaymentResource } from '@parley/contracts/rest';
import type { PaymentRow } from '@parley/projection-payments';
import type { SettledPayment } from '../../application/pay.ts';

/** A payment as the read model has it. */
export const resourceOfRow = (row: PaymentRow): PaymentResource => ({
  paymentId: row.paymentId,
  orderId: row.orderId,
  customerId: row.customerId,
  amount: { amountMinor: row.amountMinor, currency: row.currency },
  status: row.status,
  ...(row.declineReason === undefined ? {} : { declineReason: row.declineReason }),
  createdAt: timestampOf(row.createdAtMs),
  updatedAt: timestampOf(row.updatedAtMs),
});

/** A payment as the log just confirmed it: the same resource as the read model's row gives. */
export const resourceOfPayment = (payment: SettledPayment): PaymentResource => {
  const { paymentId, orderId, customerId, amountMinor, currency, initiatedAtMs } = payment.terms;
  return resourceOfRow({
    paymentId,
    orderId,
    customerId,
    amountMinor,
    currency,
    status: payment.status,
    declineReason: payment.status === 'FAILED' ? payment.reason : undefined,
    createdAtMs: initiatedAtMs,
    updatedAtMs: payment.status === 'FAILED' ? payment.failedAtMs : payment.completedAtMs,
  });
};

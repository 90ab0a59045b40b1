import { z } from 'zod';
import { CustomerId, Money, OrderId, Timestamp } from './common.ts';

/** Body of `POST /api/v1/payments` (order -> payment). Idempotent by order id: a repetition answers the same payment. */
export const PaymentRequest = z.strictObject({ orderId: OrderId, customerId: CustomerId, amount: Money });
export type PaymentRequest = z.infer<typeof PaymentRequest>;

export const PaymentStatus = z.enum(['PENDING', 'COMPLETED', 'FAILED']);

/** The confirmation of a payment: 201 when COMPLETED or FAILED (declined for good, with a reason). */
export const PaymentResource = z.object({
  paymentId: z.uuid(),
  orderId: OrderId,
  customerId: CustomerId,
  amount: Money,
  status: PaymentStatus,
  declineReason: z.string().optional(),
  createdAt: Timestamp,
  updatedAt: Timestamp,
});
export type PaymentResource = z.infer<typeof PaymentResource>;

/** What became of an order's payment when it was to be voided: the payment that it has, or none for ever. */
export const VoidedPayment = z.object({
  orderId: OrderId,
  voided: z.boolean(),
  /** Exactly when not voided. */
  payment: PaymentResource.optional(),
});
export type VoidedPayment = z.infer<typeof VoidedPayment>;

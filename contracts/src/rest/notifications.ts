import { z } from 'zod';
import { CustomerId, OrderId, Timestamp } from './common.ts';

export const NotificationResource = z.object({
  notificationId: z.uuid(),
  orderId: OrderId,
  customerId: CustomerId,
  type: z.enum(['PAYMENT_COMPLETED', 'PAYMENT_FAILED']),
  channel: z.enum(['EMAIL']),
  status: z.enum(['SENT']),
  message: z.string(),
  createdAt: Timestamp,
});
export type NotificationResource = z.infer<typeof NotificationResource>;

/** Answer of `GET /api/v1/notifications/{orderId}`: every notification about the order, oldest first. */
export const NotificationList = z.object({ items: z.array(NotificationResource) });
export type NotificationList = z.infer<typeof NotificationList>;

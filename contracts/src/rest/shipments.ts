import { z } from 'zod';
import { CustomerId, OrderId, Timestamp } from './common.ts';

export const ShipmentResource = z.object({
  shipmentId: z.uuid(),
  orderId: OrderId,
  customerId: CustomerId,
  status: z.enum(['DISPATCHED']),
  tracking: z.object({ carrier: z.string(), trackingNumber: z.string() }),
  createdAt: Timestamp,
});
export type ShipmentResource = z.infer<typeof ShipmentResource>;

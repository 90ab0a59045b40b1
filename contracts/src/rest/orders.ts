import { z } from 'zod';
import { CustomerId, Money, OrderId, page, ProductId, Timestamp } from './common.ts';

/** Where an order came from. */
export const OrderChannel = z.enum(['UNKNOWN', 'WEB', 'MOBILE', 'PARTNER']);

/** Body of `POST /api/v1/orders`. The customer comes from the token. */
export const PlaceOrderRequest = z.strictObject({
  productId: ProductId,
  quantity: z.int().min(1).max(100),
  /** Default: UNKNOWN. */
  channel: OrderChannel.optional(),
});
export type PlaceOrderRequest = z.infer<typeof PlaceOrderRequest>;

export const OrderStatus = z.enum(['CREATED', 'PAYMENT_PENDING', 'PAID', 'SHIPPED', 'CANCELLED']);
export type OrderStatus = z.infer<typeof OrderStatus>;

export const OrderResource = z.object({
  orderId: OrderId,
  customerId: CustomerId,
  productId: ProductId,
  quantity: z.int(),
  status: OrderStatus,
  createdAt: Timestamp,
  updatedAt: Timestamp,
  channel: OrderChannel.optional(),
  /** Until when the shop promises to dispatch it. */
  dispatchBy: Timestamp.optional(),
  /** Known once stock is held. */
  amount: Money.optional(),
  paymentId: z.uuid().optional(),
  shipment: z.object({ shipmentId: z.uuid(), carrier: z.string(), trackingNumber: z.string() }).optional(),
  cancellation: z.object({ reason: z.string(), detail: z.string() }).optional(),
  /** Present on a 202: why the order is not paid yet. */
  notice: z.string().optional(),
});
export type OrderResource = z.infer<typeof OrderResource>;

export const OrderPage = page(OrderResource);
export type OrderPage = z.infer<typeof OrderPage>;

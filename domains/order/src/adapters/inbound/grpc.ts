import type { ErrorCode } from '@parley/contracts/errors';
import { OrderServiceService, OrderStatus } from '@parley/contracts/grpc/order';
import { OrderId } from '@parley/contracts/rest';
import type { View } from '@parley/event-log';
import type { OrderRow } from '@parley/projection-orders';
import { GrpcRefusal, type GrpcImplementation, type Service } from '@parley/service';

const statuses = {
  CREATED: OrderStatus.ORDER_STATUS_CREATED,
  PAYMENT_PENDING: OrderStatus.ORDER_STATUS_PAYMENT_PENDING,
  PAID: OrderStatus.ORDER_STATUS_PAID,
  SHIPPED: OrderStatus.ORDER_STATUS_SHIPPED,
  CANCELLED: OrderStatus.ORDER_STATUS_CANCELLED,
} as const;

/** OrderService: reads for other services, from the orders projection. */
export const orderGrpc = (
  orders: Pick<View<OrderRow>, 'get'>,
): GrpcImplementation<typeof OrderServiceService> => ({
  getOrder: (request) => {
    const parsed = OrderId.safeParse(request.orderId);
    if (!parsed.success) throw new GrpcRefusal<ErrorCode>('VALIDATION_FAILED', 'order_id must be a UUID.');
    const orderId = parsed.data;
    const row = orders.get(orderId);
    if (row === undefined) throw new GrpcRefusal<ErrorCode>('ORDER_NOT_FOUND', 'There is no such order.');
    const { customerId, productId, quantity, status, createdAtMs, updatedAtMs } = row;
    return {
      order: {
        orderId,
        customerId,
        productId,
        quantity,
        status: statuses[status],
        createdAtMs: BigInt(createdAtMs),
        updatedAtMs: BigInt(updatedAtMs),
      },
    };
  },
});

/** Mounts OrderService on the service's gRPC server. */
export const mountGrpc = (service: Service<ErrorCode>, orders: Pick<View<OrderRow>, 'get'>): void => {
  service.grpc.add(OrderServiceService, orderGrpc(orders));
};

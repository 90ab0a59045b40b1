import { OrderStatus } from '@parley/contracts/grpc/order';
import type { OrderRow } from '@parley/projection-orders';
import { describe, expect, it } from 'vitest';
import { orderGrpc } from './grpc.ts';

const orderId = '00000000-0000-4000-8000-00000000000a';
const row: OrderRow = {
  orderId,
  customerId: 'alice',
  productId: 'cup',
  quantity: 2,
  channel: 'WEB',
  dispatchByMs: 9_000,
  status: 'PAID',
  createdAtMs: 1_000,
  updatedAtMs: 2_000,
};
const call = { signal: new AbortController().signal, deadlineAtMs: 0, respondWith: () => undefined };
const getOrder = async (id: string, status: OrderRow['status'] = 'PAID') =>
  orderGrpc({ get: (key) => (key === orderId ? { ...row, status } : undefined) }).getOrder(
    { orderId: id },
    call,
  );

describe('OrderService.GetOrder', () => {
  it('answers every attribute of an order', async () => {
    expect(await getOrder(orderId)).toEqual({
      order: {
        orderId,
        customerId: 'alice',
        productId: 'cup',
        quantity: 2,
        status: OrderStatus.ORDER_STATUS_PAID,
        createdAtMs: 1_000n,
        updatedAtMs: 2_000n,
      },
    });
  });

  it('takes an order id in any case and answers it in its one form', async () => {
    expect((await getOrder(orderId.toUpperCase())).order?.orderId).toBe(orderId);
  });

  it('gives each status a value of its own, and none the unspecified one', async () => {
    const all = ['CREATED', 'PAYMENT_PENDING', 'PAID', 'SHIPPED', 'CANCELLED'] as const;
    const values = await Promise.all(
      all.map(async (status) => (await getOrder(orderId, status)).order?.status),
    );
    expect(new Set(values).size).toBe(all.length);
    expect(values).not.toContain(OrderStatus.ORDER_STATUS_UNSPECIFIED);
  });

  it.each([
    ['ORDER_NOT_FOUND', '00000000-0000-4000-8000-000000000009'],
    ['VALIDATION_FAILED', 'x'],
    ['VALIDATION_FAILED', ''],
  ])('refuses with %s: "%s"', async (code, id) => {
    await expect(getOrder(id)).rejects.toMatchObject({ name: 'GrpcRefusal', code });
  });
});

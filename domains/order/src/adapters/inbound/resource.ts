import { timestampOf } from '@parley/contracts/limits';
import type { OrderResource } from '@parley/contracts/rest';
import type { OrderRow } from '@parley/projection-orders';
import type { OrderState } from '../../core/order.ts';

export const resourceOfRow = (row: OrderRow): OrderResource => {
  const { createdAtMs, updatedAtMs, dispatchByMs, ...rest } = row;
  return {
    ...rest,
    createdAt: timestampOf(createdAtMs),
    updatedAt: timestampOf(updatedAtMs),
    dispatchBy: timestampOf(dispatchByMs),
  };
};

/** The answer to the request that placed a paid order: as of OrderPaid, so that a repetition answers the same. */
export const resourceAsPaid = (state: Extract<OrderState, { status: 'PAID' | 'SHIPPED' }>): OrderResource => {
  const { placed, due, paid } = state;
  const { createdAtMs, dispatchByMs, ...order } = placed;
  const { amountMinor, currency } = due;
  return {
    ...order,
    status: 'PAID',
    amount: { amountMinor, currency },
    paymentId: paid.paymentId,
    createdAt: timestampOf(createdAtMs),
    updatedAt: timestampOf(paid.paidAtMs),
    dispatchBy: timestampOf(dispatchByMs),
  };
};

/** The answer while an order waits for another service. */
export const resourceOfWaiting = (
  state: Extract<OrderState, { status: 'CREATED' | 'PAYMENT_PENDING' }>,
): OrderResource => {
  const { createdAtMs, dispatchByMs, ...order } = state.placed;
  const dispatchBy = timestampOf(dispatchByMs);
  if (state.status === 'CREATED') {
    const notice = 'stock check queued for retry';
    const times = { createdAt: timestampOf(createdAtMs), updatedAt: timestampOf(createdAtMs), dispatchBy };
    return { ...order, status: 'CREATED', ...times, notice };
  }
  const { amountMinor, currency } = state.due;
  return {
    ...order,
    status: 'PAYMENT_PENDING',
    amount: { amountMinor, currency },
    createdAt: timestampOf(createdAtMs),
    updatedAt: timestampOf(state.startedAtMs),
    dispatchBy,
    notice: 'payment queued for retry',
  };
};

import type { OrderEvent } from '@parley/contracts/events';
import { done, notYet, type Verdict } from '@parley/delivery';
import type { RecordedEvent, View } from '@parley/event-log';
import { describeFailure } from './aggregate.ts';
import type { OrderRow } from './orders.ts';
import type { Stock } from './stock.ts';

/** Where the service says what happened. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface SettleDependencies {
  readonly stock: Stock;
  readonly orders: Pick<View<OrderRow>, 'get'>;
  readonly log: Log;
  readonly now: () => number;
}

/** What the edge knows of this call. */
export interface SettleContext {
  /** 1 for the first. */
  readonly attempt: number;
  readonly correlationId: string;
}

/** How long a hold may take to reach this instance's own reader before a paid order counts as forgotten. */
const UNSEEN_MS_MAX = 60_000;
const UNSEEN_ATTEMPTS_MAX = 6;

/**
 * Settles the stock of an order that ended: paid, its units leave; cancelled, they return. Answers `not-yet` when the
 * log did not confirm, or when the hold may not have reached this instance; rejects when the log refuses it. Idempotent.
 */
export const createSettle =
  ({ stock, orders, log, now }: SettleDependencies) =>
  async (
    recorded: RecordedEvent<OrderEvent>,
    { attempt, correlationId }: SettleContext,
  ): Promise<Verdict> => {
    const { event, eventId, recordedAtMs } = recorded;
    if (event.type !== 'OrderPaid' && event.type !== 'OrderCancelled') return done;
    const { orderId } = event.data;
    const order = orders.get(orderId);
    if (order === undefined) {
      log.error({ orderId, eventId }, 'an order ended that was never created');
      return done;
    }
    const request = { orderId, productId: order.productId };
    const metadata = { correlationId, causationId: eventId };
    const outcome = await (event.type === 'OrderPaid'
      ? stock.commit(request, metadata)
      : stock.release(request, metadata));
    if (outcome.kind === 'failed') {
      const why = describeFailure(outcome.failure);
      if (outcome.failure.kind === 'rejected') throw new Error(why);
      return notYet(why);
    }
    if (outcome.kind !== 'refused') return done;
    const { rejection } = outcome;
    const unseen = rejection.kind === 'hold-unknown' || rejection.kind === 'product-unknown';
    if (unseen && attempt <= UNSEEN_ATTEMPTS_MAX && now() - recordedAtMs < UNSEEN_MS_MAX) {
      return notYet(`the hold of order ${orderId} has not been seen yet`);
    }
    log.error({ orderId, eventId, rejection }, 'a paid order has no stock to commit');
    return done;
  };

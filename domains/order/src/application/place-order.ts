import type { OrderChannel } from '@parley/contracts/events';
import { deriveId, type CommandMetadata } from '@parley/event-log';
import { place } from '../core/decide.ts';
import type { OrderState } from '../core/order.ts';
import { streamOf, type Advance, type Advanced, type LogFailure, type Orders } from './advance.ts';

export interface OrderRequest {
  readonly customerId: string;
  readonly productId: string;
  readonly quantity: number;
  readonly channel?: OrderChannel | undefined;
  /** The same key from the same customer is the same order. */
  readonly idempotencyKey: string;
}

interface Late {
  readonly kind: 'late';
  readonly state: OrderState;
}

export type PlaceOutcome =
  | Advanced
  /** Recorded, and still under way as the caller had to be answered. */
  | Late
  | { readonly kind: 'key-reused' }
  /** The order is not known to be in the log. */
  | { readonly kind: 'not-placed'; readonly failure: LogFailure };

export type PlaceOrder = (request: OrderRequest, metadata: CommandMetadata) => Promise<PlaceOutcome>;

interface Dependencies {
  readonly orders: Orders;
  readonly advance: Advance;
  readonly now: () => number;
  /** Milliseconds that are left to answer the caller. */
  readonly leftMs: () => number;
}

/** setTimeout knows no longer one. */
const WAIT_MS_MAX = 2 ** 31 - 1;

/**
 * What `advanced` comes to, or how far the order is when the caller cannot wait any longer. The budgets of the calls to
 * others add up to more than a request has, and the run may be one that the recovery loop began: only this bounds it.
 */
const within = async (
  deps: Dependencies,
  orderId: string,
  advanced: Promise<Advanced>,
): Promise<Advanced | Late> => {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(late.resolve, Math.min(deps.leftMs(), WAIT_MS_MAX), undefined);
  try {
    const outcome = await Promise.race([advanced, late.promise]);
    return outcome ?? { kind: 'late', state: deps.orders.load(streamOf(orderId)).state };
  } finally {
    clearTimeout(timer);
  }
};

/**
 * Records the order, then brings it as far as it gets while the caller waits. A repetition goes on where the first
 * attempt stopped.
 */
export const createPlaceOrder =
  (deps: Dependencies): PlaceOrder =>
  async ({ customerId, productId, quantity, channel, idempotencyKey }, metadata) => {
    const orderId = deriveId('order', customerId, idempotencyKey);
    const command = { orderId, customerId, productId, quantity, channel, nowMs: deps.now() };
    const outcome = await deps.orders.execute({
      streamId: streamOf(orderId),
      commandId: deriveId('place-order', orderId, productId, String(quantity), channel ?? 'UNKNOWN'),
      decide: (state) => place(state, command),
      metadata,
    });
    switch (outcome.kind) {
      case 'accepted':
      case 'duplicate':
      case 'unchanged':
        return within(deps, orderId, deps.advance(orderId, metadata));
      case 'refused':
        return { kind: 'key-reused' };
      case 'conflict':
      case 'rejected':
      case 'unavailable':
      case 'unknown':
        return { kind: 'not-placed', failure: outcome };
    }
  };

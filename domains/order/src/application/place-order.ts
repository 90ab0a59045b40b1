import type { OrderChannel } from '@parley/contracts/events';
import { deriveId, type CommandMetadata } from '@parley/event-log';
import { place } from '../core/decide.ts';
import { streamOf, type Advance, type Advanced, type LogFailure, type Orders } from './advance.ts';

export interface OrderRequest {
  readonly customerId: string;
  readonly productId: string;
  readonly quantity: number;
  readonly channel?: OrderChannel | undefined;
  /** The same key from the same customer is the same order. */
  readonly idempotencyKey: string;
}

export type PlaceOutcome =
  | Advanced
  | { readonly kind: 'key-reused' }
  /** The order is not known to be in the log. */
  | { readonly kind: 'not-placed'; readonly failure: LogFailure };

export type PlaceOrder = (request: OrderRequest, metadata: CommandMetadata) => Promise<PlaceOutcome>;

/** Records the order, then brings it as far as it gets. A repetition goes on where the first attempt stopped. */
export const createPlaceOrder =
  (deps: { readonly orders: Orders; readonly advance: Advance; readonly now: () => number }): PlaceOrder =>
  async ({ customerId, productId, quantity, channel, idempotencyKey }, metadata) => {
    const orderId = deriveId('order', customerId, idempotencyKey);
    const command = { orderId, customerId, productId, quantity, channel, nowMs: deps.now() };
    const outcome = await deps.orders.execute({
      streamId: streamOf(orderId),
      commandId: deriveId('place-order', orderId, productId, String(quantity)),
      decide: (state) => place(state, command),
      metadata,
    });
    switch (outcome.kind) {
      case 'accepted':
      case 'duplicate':
      case 'unchanged':
        return deps.advance(orderId, metadata);
      case 'refused':
        return { kind: 'key-reused' };
      case 'conflict':
      case 'rejected':
      case 'unavailable':
      case 'unknown':
        return { kind: 'not-placed', failure: outcome };
    }
  };

import { deriveId, type CommandMetadata } from '@parley/event-log';
import { commitStock, releaseStock, reserveStock, type Rejection } from '../core/decide.ts';
import { getId } from '../core/id-map.ts';
import { availableOf, finishedOf, type Hold, type ListedProduct, type Product } from '../core/product.ts';
import { streamOf, type LogFailure, type Products } from './aggregate.ts';

/** How long a hold stands: 15 minutes. */
export const HOLD_MS = 900_000;

export interface StockDependencies {
  readonly products: Products;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly holdMs?: number;
}

interface Refused {
  readonly kind: 'refused';
  readonly rejection: Rejection;
}
interface Failed {
  readonly kind: 'failed';
  readonly failure: LogFailure;
}

export type ReserveOutcome =
  | {
      readonly kind: 'held';
      readonly product: ListedProduct;
      readonly available: number;
      readonly hold: Hold;
    }
  | Refused
  | Failed;
export type ReleaseOutcome = { readonly kind: 'released'; readonly quantity: number } | Failed;
export type CommitOutcome = { readonly kind: 'committed' } | Refused | Failed;

export interface StockRequest {
  readonly orderId: string;
  readonly productId: string;
}

/** What the service does with stock. Every call resolves after its events were read back from the log. */
export interface Stock {
  /** Holds units for an order. Idempotent by order id. */
  reserve(
    request: StockRequest & { readonly quantity: number },
    metadata: CommandMetadata,
  ): Promise<ReserveOutcome>;
  /** Gives the units of an order back. Idempotent by order id: a repetition answers what the first gave back. */
  release(request: StockRequest, metadata: CommandMetadata): Promise<ReleaseOutcome>;
  /** The order is paid: its units leave. Idempotent by order id. */
  commit(request: StockRequest, metadata: CommandMetadata): Promise<CommitOutcome>;
}

const listedHold = (product: Product, orderId: string): Hold | undefined => {
  if (product.status === 'absent') return undefined;
  return getId(product.holds, orderId) ?? finishedOf(product, orderId)?.hold;
};

/**
 * The id of a command about an order's hold: the same for repetitions, another one after the hold was renewed, so
 * that a renewal is not taken for a repetition of the first reservation.
 */
const commandIdOf = (what: string, orderId: string, product: Product): string =>
  deriveId(what, orderId, String(listedHold(product, orderId)?.expiresAt ?? 0));

const reserve =
  ({ products, now, holdMs = HOLD_MS }: StockDependencies): Stock['reserve'] =>
  async ({ orderId, productId, quantity }, metadata) => {
    const streamId = streamOf(productId);
    const command = { orderId, quantity, now: now(), holdMs };
    const outcome = await products.execute({
      streamId,
      commandId: commandIdOf('reserve-stock', orderId, products.load(streamId).state),
      decide: (state) => reserveStock(state, command),
      metadata,
    });
    switch (outcome.kind) {
      case 'accepted':
      case 'duplicate':
      case 'unchanged': {
        const hold = listedHold(outcome.state, orderId);
        if (outcome.state.status === 'absent' || hold === undefined) {
          // Given back between the append and this answer: the caller asks again.
          return { kind: 'failed', failure: { kind: 'conflict', attempts: 1 } };
        }
        return { kind: 'held', product: outcome.state, available: availableOf(outcome.state), hold };
      }
      case 'refused':
        return { kind: 'refused', rejection: outcome.rejection };
      case 'conflict':
      case 'rejected':
      case 'unavailable':
      case 'unknown':
        return { kind: 'failed', failure: outcome };
    }
  };

const release =
  ({ products, now }: StockDependencies): Stock['release'] =>
  async ({ orderId, productId }, metadata) => {
    const streamId = streamOf(productId);
    const command = { orderId, now: now() };
    const outcome = await products.execute({
      streamId,
      commandId: commandIdOf('release-stock', orderId, products.load(streamId).state),
      decide: (state) => releaseStock(state, command),
      metadata,
    });
    switch (outcome.kind) {
      case 'accepted':
      case 'duplicate':
        return { kind: 'released', quantity: listedHold(outcome.state, orderId)?.quantity ?? 0 };
      case 'unchanged':
      case 'refused':
        return { kind: 'released', quantity: 0 };
      case 'conflict':
      case 'rejected':
      case 'unavailable':
      case 'unknown':
        return { kind: 'failed', failure: outcome };
    }
  };

const commit =
  ({ products, now }: StockDependencies): Stock['commit'] =>
  async ({ orderId, productId }, metadata) => {
    const command = { orderId, now: now() };
    const outcome = await products.execute({
      streamId: streamOf(productId),
      commandId: deriveId('commit-stock', orderId),
      decide: (state) => commitStock(state, command),
      metadata,
    });
    switch (outcome.kind) {
      case 'accepted':
      case 'duplicate':
      case 'unchanged':
        return { kind: 'committed' };
      case 'refused':
        return { kind: 'refused', rejection: outcome.rejection };
      case 'conflict':
      case 'rejected':
      case 'unavailable':
      case 'unknown':
        return { kind: 'failed', failure: outcome };
    }
  };

/** The use cases of stock over one log. */
export const createStock = (deps: StockDependencies): Stock => ({
  reserve: reserve(deps),
  release: release(deps),
  commit: commit(deps),
});

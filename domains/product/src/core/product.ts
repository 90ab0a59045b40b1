import type { EpochMs, ProductAdded, ProductEvent, ReleaseReason } from '@parley/contracts/events';
import { deleteId, emptyIdMap, getId, setId, type IdMap } from './id-map.ts';

/** Units held for one order, at the price the hold guarantees. */
export interface Hold {
  readonly quantity: number;
  readonly unitPriceMinor: number;
  readonly currency: string;
  readonly reservedAt: EpochMs;
  readonly expiresAt: EpochMs;
}

/** How a hold ended, and what it was. */
export interface FinishedHold {
  readonly outcome: 'COMMITTED' | ReleaseReason;
  readonly hold: Hold;
}

/**
 * What a product remembers of orders that no longer hold stock: two generations, so that the last 5,000 are always
 * known and never more than 10,000 are kept. See README for what happens beyond.
 */
export interface FinishedHolds {
  readonly recent: IdMap<FinishedHold>;
  readonly older: IdMap<FinishedHold>;
}

/** Most finished orders that one product remembers. */
export const FINISHED_ORDERS_MAX = 10_000;

/** What is in the catalogue, with its stock. */
export interface ListedProduct {
  readonly status: 'listed';
  readonly details: ProductAdded;
  /** Units in the warehouse: added minus committed. Held units are among them. */
  readonly onHand: number;
  /** Units held: the sum over `holds`. */
  readonly held: number;
  /** Live holds by order id. */
  readonly holds: IdMap<Hold>;
  readonly finished: FinishedHolds;
}

/** One product: not there yet, or in the catalogue. */
export type Product = { readonly status: 'absent' } | ListedProduct;

export const initialProduct: Product = { status: 'absent' };

/** Units that can be held now. Never negative. */
export const availableOf = (product: ListedProduct): number => product.onHand - product.held;

/** How the last hold of an order ended, if it is remembered. */
export const finishedOf = (product: ListedProduct, orderId: string): FinishedHold | undefined =>
  getId(product.finished.recent, orderId) ?? getId(product.finished.older, orderId);

const remember = (finished: FinishedHolds, orderId: string, entry: FinishedHold): FinishedHolds => {
  const recent = setId(finished.recent, orderId, entry);
  const full = recent.size >= FINISHED_ORDERS_MAX / 2;
  return full ? { recent: emptyIdMap, older: recent } : { recent, older: finished.older };
};

const listed = (product: Product, event: ProductEvent): ListedProduct => {
  if (product.status === 'listed') return product;
  throw new Error(`${event.type} for ${event.data.productId}, which was never added`);
};

const finish = (product: ListedProduct, orderId: string, outcome: FinishedHold['outcome']): ListedProduct => {
  const hold = getId(product.holds, orderId);
  if (hold === undefined) throw new Error(`${product.details.productId} holds nothing for ${orderId}`);
  return {
    ...product,
    onHand: outcome === 'COMMITTED' ? product.onHand - hold.quantity : product.onHand,
    held: product.held - hold.quantity,
    holds: deleteId(product.holds, orderId),
    finished: remember(product.finished, orderId, { outcome, hold }),
  };
};

/** The product after one event. Throws on a history that no decider of ours has written. */
export const evolve = (product: Product, event: ProductEvent): Product => {
  switch (event.type) {
    case 'ProductAdded':
      return {
        status: 'listed',
        details: { ...event.data }, // a state is plain data, a decoded event need not be
        onHand: 0,
        held: 0,
        holds: emptyIdMap,
        finished: { recent: emptyIdMap, older: emptyIdMap },
      };
    case 'StockAdded': {
      const before = listed(product, event);
      return { ...before, onHand: before.onHand + event.data.quantity };
    }
    case 'StockReserved': {
      const before = listed(product, event);
      const { orderId, quantity, unitPriceMinor, currency, reservedAt, expiresAt } = event.data;
      const hold: Hold = { quantity, unitPriceMinor, currency, reservedAt, expiresAt };
      return { ...before, held: before.held + quantity, holds: setId(before.holds, orderId, hold) };
    }
    case 'StockReleased':
      return finish(listed(product, event), event.data.orderId, event.data.reason);
    case 'StockCommitted':
      return finish(listed(product, event), event.data.orderId, 'COMMITTED');
  }
};

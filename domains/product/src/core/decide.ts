import type { EpochMs, ProductAdded, ProductEvent, ReleaseReason } from '@parley/contracts/events';
import { entriesOf, getId } from './id-map.ts';
import { availableOf, finishedOf, type Hold, type ListedProduct, type Product } from './product.ts';

/** Why a command was refused. */
export type Rejection =
  | { readonly kind: 'product-unknown' }
  | { readonly kind: 'stock-short'; readonly available: number }
  /** The order holds, or held, another quantity: an order id names one request for ever. */
  | { readonly kind: 'quantity-differs'; readonly held: number }
  /** The order was cancelled and its stock given back: a late request does not hold it again. */
  | { readonly kind: 'order-cancelled' }
  /** This product does not know of a hold for the order: not yet, not any more, or never. */
  | { readonly kind: 'hold-unknown' };

/** Events to record (none: nothing to do), or a named refusal. */
export type Decision =
  | { readonly kind: 'events'; readonly events: readonly ProductEvent[] }
  | { readonly kind: 'refused'; readonly rejection: Rejection };

const record = (...events: readonly ProductEvent[]): Decision => ({ kind: 'events', events });
const refuse = (rejection: Rejection): Decision => ({ kind: 'refused', rejection });

/** Quantities are Avro ints, and GraphQL's Int carries a price; a wrong one is a bug of the edge, which validates. */
const assertInt32 = (name: string, value: number): void => {
  if (!Number.isInteger(value) || value < 1 || value > 2_147_483_647) {
    throw new RangeError(`${name} must be an integer of 1 to 2147483647, got ${value}`);
  }
};
const assertQuantity = (quantity: number): void => {
  assertInt32('quantity', quantity);
};

export interface AddProduct {
  readonly details: ProductAdded;
  /** Units that arrive together with the product; 0 for none. */
  readonly initialStock: number;
}

/** Idempotent by the product's id: a product that is listed is neither added nor stocked again. */
export const addProduct = (product: Product, { details, initialStock }: AddProduct): Decision => {
  if (product.status === 'listed') return record();
  assertInt32('priceMinor', details.priceMinor);
  const added: ProductEvent = { type: 'ProductAdded', data: details };
  if (initialStock === 0) return record(added);
  assertQuantity(initialStock);
  const { productId, addedAt } = details;
  return record(added, { type: 'StockAdded', data: { productId, quantity: initialStock, addedAt } });
};

export interface AddStock {
  readonly quantity: number;
  readonly now: EpochMs;
}

/** Not idempotent by itself: a repetition is named by its command id. */
export const addStock = (product: Product, { quantity, now }: AddStock): Decision => {
  assertQuantity(quantity);
  if (product.status === 'absent') return refuse({ kind: 'product-unknown' });
  const { productId } = product.details;
  return record({ type: 'StockAdded', data: { productId, quantity, addedAt: now } });
};

export interface ReserveStock {
  readonly orderId: string;
  readonly quantity: number;
  readonly now: EpochMs;
  /** How long the hold stands. */
  readonly holdMs: number;
}

const reserved = (product: ListedProduct, orderId: string, hold: Hold): ProductEvent => ({
  type: 'StockReserved',
  data: { productId: product.details.productId, orderId, ...hold },
});

const released = (
  product: ListedProduct,
  orderId: string,
  hold: { readonly quantity: number; readonly reason: ReleaseReason; readonly now: EpochMs },
): ProductEvent => ({
  type: 'StockReleased',
  data: {
    productId: product.details.productId,
    orderId,
    quantity: hold.quantity,
    reason: hold.reason,
    releasedAt: hold.now,
  },
});

const committed = (
  product: ListedProduct,
  orderId: string,
  paid: { readonly quantity: number; readonly now: EpochMs },
): ProductEvent => ({
  type: 'StockCommitted',
  data: {
    productId: product.details.productId,
    orderId,
    quantity: paid.quantity,
    committedAt: paid.now,
  },
});

/**
 * Idempotent by the order's id: a repetition while the hold stands, or after the order's stock has left, does
 * nothing. A hold past its time is renewed, at today's price when it had already been given back.
 */
export const reserveStock = (product: Product, command: ReserveStock): Decision => {
  const { orderId, quantity, now, holdMs } = command;
  assertQuantity(quantity);
  if (product.status === 'absent') return refuse({ kind: 'product-unknown' });
  const live = getId(product.holds, orderId);
  const finished = finishedOf(product, orderId);
  const known = live ?? finished?.hold;
  if (known !== undefined && known.quantity !== quantity) {
    return refuse({ kind: 'quantity-differs', held: known.quantity });
  }
  const times = { reservedAt: now, expiresAt: now + holdMs };
  if (live !== undefined) {
    if (live.expiresAt > now) return record();
    const expired = released(product, orderId, { quantity, reason: 'EXPIRED', now });
    return record(expired, reserved(product, orderId, { ...live, ...times }));
  }
  if (finished?.outcome === 'COMMITTED') return record();
  if (finished?.outcome === 'ORDER_CANCELLED') return refuse({ kind: 'order-cancelled' });
  const available = availableOf(product);
  if (available < quantity) return refuse({ kind: 'stock-short', available });
  const { priceMinor, currency } = product.details;
  return record(reserved(product, orderId, { quantity, unitPriceMinor: priceMinor, currency, ...times }));
};

export interface SettleStock {
  readonly orderId: string;
  readonly now: EpochMs;
}

/** The order is cancelled: its units are available again. Idempotent; nothing to do when nothing is held. */
export const releaseStock = (product: Product, { orderId, now }: SettleStock): Decision => {
  if (product.status === 'absent') return record();
  const hold = getId(product.holds, orderId);
  if (hold === undefined) return record();
  return record(released(product, orderId, { quantity: hold.quantity, reason: 'ORDER_CANCELLED', now }));
};

/**
 * The order is paid: its units leave the stock. Idempotent. When the hold has expired meanwhile, the units are taken
 * from what is available, and the refusal `stock-short` says that they have been sold to someone else. Of an order that
 * this product does not know (`hold-unknown`) nothing leaves: forgetting must not take units twice.
 */
export const commitStock = (product: Product, { orderId, now }: SettleStock): Decision => {
  if (product.status === 'absent') return refuse({ kind: 'product-unknown' });
  const hold = getId(product.holds, orderId);
  if (hold !== undefined) {
    return record(committed(product, orderId, { quantity: hold.quantity, now }));
  }
  const finished = finishedOf(product, orderId);
  if (finished === undefined) return refuse({ kind: 'hold-unknown' });
  if (finished.outcome !== 'EXPIRED') return record();
  const { quantity } = finished.hold;
  const available = availableOf(product);
  if (available < quantity) return refuse({ kind: 'stock-short', available });
  const again = reserved(product, orderId, { ...finished.hold, reservedAt: now, expiresAt: now });
  return record(again, committed(product, orderId, { quantity, now }));
};

export interface ExpireReservations {
  readonly now: EpochMs;
  /** Most holds released by one command: a commit stays small. */
  readonly holdsMax: number;
  /** False keeps a hold: its order is known to be paid. */
  readonly mayExpire: (orderId: string) => boolean;
}

/** Gives back what was held past its time. */
export const expireReservations = (product: Product, command: ExpireReservations): Decision => {
  if (product.status === 'absent') return record();
  const events: ProductEvent[] = [];
  for (const [orderId, { quantity, expiresAt }] of entriesOf(product.holds)) {
    if (events.length >= command.holdsMax) break;
    if (expiresAt > command.now || !command.mayExpire(orderId)) continue;
    events.push(released(product, orderId, { quantity, reason: 'EXPIRED', now: command.now }));
  }
  return record(...events);
};

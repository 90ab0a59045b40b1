import { INT32_MAX } from '@parley/contracts/limits';
import type { ProductEvent } from '@parley/contracts/events';
import { productEvents } from '@parley/contracts/topics';
import type { ProjectionDefinition, View } from '@parley/event-log';

/** One product as the catalogue shows it. */
export interface ProductRow {
  readonly productId: string;
  readonly name: string;
  readonly description: string;
  readonly category: string;
  readonly priceMinor: number;
  /** ISO 4217 code. */
  readonly currency: string;
  /** Units that can be reserved now: added, minus held, minus what has left. Never negative. */
  readonly available: number;
}

const restocked = (row: ProductRow | undefined, units: number): ProductRow | undefined =>
  row === undefined ? undefined : { ...row, available: row.available + units };

/**
 * The row after one event. A commit moves what was held out of the warehouse, so it changes nothing here: the units
 * stopped being available when they were held.
 */
export const foldProduct = (row: ProductRow | undefined, event: ProductEvent): ProductRow | undefined => {
  switch (event.type) {
    case 'ProductAdded': {
      const { productId, name, description, category, priceMinor, currency } = event.data;
      return { productId, name, description, category, priceMinor, currency, available: 0 };
    }
    case 'StockAdded':
      return restocked(row, event.data.quantity);
    case 'StockReserved':
      return restocked(row, -event.data.quantity);
    case 'StockReleased':
      return restocked(row, event.data.quantity);
    case 'StockCommitted':
      return row;
  }
};

/** The catalogue: rows by product id, found by category. */
export const productsProjection: ProjectionDefinition<ProductRow, ProductEvent> = {
  name: 'products',
  topic: productEvents,
  key: ({ event }) => event.data.productId,
  fold: (row, { event }) => foldProduct(row, event),
  indexes: { category: (row) => row.category },
  module: import.meta.url,
};

/** What to list. */
export interface ProductListing {
  readonly category?: string | undefined;
  /** 1 to 100; checked at the edges. */
  readonly limit: number;
  /** The product id to start behind. */
  readonly after?: string | undefined;
}

/** Products in ascending order of their ids, at most `limit`. */
export const listProducts = (view: View<ProductRow>, listing: ProductListing): readonly ProductRow[] => {
  const { category, limit, after } = listing;
  const page = after === undefined ? { limit } : { limit, after };
  return category === undefined ? view.list(page) : view.find('category', category, page);
};

/** What an inventory check says, whatever protocol asks. */
export interface CheckedInventory {
  readonly productId: string;
  readonly quantity: number;
  readonly available: number;
  readonly inStock: boolean;
}

/** Whether a product can be ordered in a quantity now; undefined when there is no such product. */
export const checkInventory = (
  view: Pick<View<ProductRow>, 'get'>,
  { productId, quantity }: { readonly productId: string; readonly quantity: number },
): CheckedInventory | undefined => {
  const row = view.get(productId);
  if (row === undefined) return undefined;
  const available = Math.min(row.available, INT32_MAX); // that many can be ordered, and more
  return { productId, quantity, available, inStock: row.available >= quantity };
};

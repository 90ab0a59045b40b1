import { z } from 'zod';
import { INT32_MAX } from '../limits.ts';
import { Money, page, PageQuery, ProductId, wholeNumber } from './common.ts';

export const ProductResource = z.object({
  productId: ProductId,
  name: z.string(),
  description: z.string(),
  category: z.string(),
  price: Money,
  /** Units that can be ordered now. */
  stock: z.int(),
});
export type ProductResource = z.infer<typeof ProductResource>;

export const ProductPage = page(ProductResource);
export type ProductPage = z.infer<typeof ProductPage>;

export const ProductQuery = PageQuery.extend({ category: z.string().min(1).max(64).optional() });
export type ProductQuery = z.infer<typeof ProductQuery>;

/** Query of an inventory check. */
export const InventoryQuery = z.object({ quantity: wholeNumber(z.int().min(1).max(INT32_MAX)) });

/** Whether a product can be ordered in a quantity now. A reservation decides; this is a read. */
export const InventoryResource = z.object({
  productId: ProductId,
  quantity: z.int(),
  /** Units that can be ordered now. */
  available: z.int(),
  inStock: z.boolean(),
});
export type InventoryResource = z.infer<typeof InventoryResource>;

import { z } from 'zod';
import { Money, page, PageQuery, ProductId } from './common.ts';

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

import type {
  CheckInventoryRequest,
  CheckInventoryResponse,
  GetProductRequest,
  GetProductResponse,
  Product,
} from '@parley/contracts/grpc/product';
import { INT32_MAX } from '@parley/contracts/limits';
import type { View } from '@parley/event-log';
import { checkInventory, type ProductRow } from './rows.ts';

/** A row as the wire message. */
export const productMessage = (row: ProductRow): Product => ({
  productId: row.productId,
  name: row.name,
  description: row.description,
  category: row.category,
  priceMinor: BigInt(row.priceMinor),
  currency: row.currency,
  availableQuantity: Math.min(row.available, INT32_MAX),
});

/** The read half of ProductService; undefined means that there is no such product. */
export interface ProductReads {
  getProduct(request: GetProductRequest): GetProductResponse | undefined;
  checkInventory(request: CheckInventoryRequest): CheckInventoryResponse | undefined;
}

/** gRPC reads over the projection. What they answer may be older than a write elsewhere; a reservation decides. */
export const productReads = (view: View<ProductRow>): ProductReads => ({
  getProduct: ({ productId }) => {
    const row = view.get(productId);
    return row === undefined ? undefined : { product: productMessage(row) };
  },
  checkInventory: (request) => {
    const row = view.get(request.productId);
    const checked = checkInventory(view, request);
    return row === undefined || checked === undefined
      ? undefined
      : { product: productMessage(row), inStock: checked.inStock };
  },
});

import { formatPosition, type LogPosition } from '@parley/contracts/consistency';
import type { ErrorCode } from '@parley/contracts/errors';
import { ProductServiceService, type ReserveStockResponse } from '@parley/contracts/grpc/product';
import { grpcMetadata } from '@parley/contracts/headers';
import { INT32_MAX } from '@parley/contracts/limits';
import { OrderId, ProductId } from '@parley/contracts/rest';
import type { View } from '@parley/event-log';
import { productMessage, productReads, type ProductRow } from '@parley/projection-products';
import {
  currentContext,
  GrpcRefusal,
  type GrpcCall,
  type GrpcImplementation,
  type Service,
} from '@parley/service';
import { describeFailure, type LogFailure } from '../../application/aggregate.ts';
import type { ReserveOutcome, Stock } from '../../application/stock.ts';
import type { Rejection } from '../../core/decide.ts';

const refusal = (code: ErrorCode, detail: string): GrpcRefusal<ErrorCode> => new GrpcRefusal(code, detail);

const notFound = (productId: string): GrpcRefusal<ErrorCode> =>
  refusal('PRODUCT_NOT_FOUND', `There is no product ${productId}.`);

const ofFailure = (failure: LogFailure): GrpcRefusal<ErrorCode> => {
  const detail = describeFailure(failure);
  switch (failure.kind) {
    case 'conflict':
      return refusal('CONFLICT', detail);
    case 'rejected':
      return refusal('INTERNAL', detail);
    case 'unavailable':
      return refusal(failure.reason === 'queue-full' ? 'OVERLOADED' : 'LOG_UNAVAILABLE', detail);
    case 'unknown':
      return refusal('LOG_UNAVAILABLE', detail);
  }
};

const ofRejection = (rejection: Rejection, productId: string): GrpcRefusal<ErrorCode> => {
  switch (rejection.kind) {
    case 'product-unknown':
      return notFound(productId);
    case 'stock-short':
      return refusal('STOCK_SHORT', `${rejection.available} available.`);
    case 'quantity-differs':
      return refusal('IDEMPOTENCY_KEY_REUSED', `The order already holds ${rejection.held}.`);
    case 'order-cancelled':
      return refusal('STOCK_SHORT', 'The order was cancelled and its stock given back.');
    case 'hold-unknown':
      return refusal('STOCK_SHORT', 'Nothing is held for the order.');
  }
};

/** In its one form: an order holds stock once, however its id was written. */
const orderIdOf = (text: string): string => {
  const parsed = OrderId.safeParse(text);
  if (!parsed.success) throw refusal('VALIDATION_FAILED', 'order_id must be a UUID.');
  return parsed.data;
};

const checkProductId = (productId: string): void => {
  if (!ProductId.safeParse(productId).success)
    throw refusal('VALIDATION_FAILED', 'product_id must be a product id.');
};

const checkQuantity = (quantity: number): void => {
  if (quantity < 1) throw refusal('VALIDATION_FAILED', 'quantity must be at least 1.');
};

const responseOf = (held: Extract<ReserveOutcome, { kind: 'held' }>): ReserveStockResponse => {
  const { product, available, hold } = held;
  return {
    product: productMessage({ ...product.details, available: Math.min(available, INT32_MAX) }),
    reservedQuantity: hold.quantity,
    unitPriceMinor: BigInt(hold.unitPriceMinor),
    currency: hold.currency,
    expiresAtMs: BigInt(hold.expiresAt),
  };
};

export interface GrpcDependencies {
  readonly stock: Stock;
  readonly view: View<ProductRow>;
  /** Where the product's last event lies; undefined when there is none. */
  readonly positionOf: (productId: string) => LogPosition | undefined;
}

/** ProductService: reads from the catalogue's projection, writes through the use cases. */
export const productGrpc = ({
  stock,
  view,
  positionOf,
}: GrpcDependencies): GrpcImplementation<typeof ProductServiceService> => {
  const reads = productReads(view);
  const tellPosition = (call: GrpcCall, productId: string): void => {
    const position = positionOf(productId);
    if (position !== undefined) call.respondWith(grpcMetadata.position, formatPosition(position));
  };
  return {
    getProduct: (request) => {
      checkProductId(request.productId);
      const found = reads.getProduct(request);
      if (found === undefined) throw notFound(request.productId);
      return found;
    },
    checkInventory: (request) => {
      checkProductId(request.productId);
      checkQuantity(request.quantity);
      const found = reads.checkInventory(request);
      if (found === undefined) throw notFound(request.productId);
      return found;
    },
    reserveStock: async ({ orderId: text, productId, quantity }, call) => {
      const orderId = orderIdOf(text);
      checkProductId(productId);
      checkQuantity(quantity);
      const { correlationId } = currentContext();
      const outcome = await stock.reserve({ orderId, productId, quantity }, { correlationId });
      switch (outcome.kind) {
        case 'held':
          tellPosition(call, productId);
          return responseOf(outcome);
        case 'refused':
          throw ofRejection(outcome.rejection, productId);
        case 'failed':
          throw ofFailure(outcome.failure);
      }
    },
    releaseStock: async ({ orderId: text, productId }, call) => {
      const orderId = orderIdOf(text);
      checkProductId(productId);
      const { correlationId } = currentContext();
      const outcome = await stock.release({ orderId, productId }, { correlationId });
      if (outcome.kind === 'failed') throw ofFailure(outcome.failure);
      tellPosition(call, productId);
      return { releasedQuantity: outcome.quantity };
    },
  };
};

/** Mounts ProductService on the service's gRPC server. */
export const mountGrpc = (service: Service<ErrorCode>, deps: GrpcDependencies): void => {
  service.grpc.add(ProductServiceService, productGrpc(deps));
};

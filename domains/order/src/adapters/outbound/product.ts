import { errorCatalog } from '@parley/contracts/errors';
import { ProductServiceService } from '@parley/contracts/grpc/product';
import { Money } from '@parley/contracts/rest';
import { createGrpcClient, type Policy, type Resolve } from '@parley/service';
import { z } from 'zod';
import type { Products } from '../../application/ports.ts';

/** What product promises with a hold. proto3 has no required fields: an empty answer would sell for nothing. */
const Terms = z.object({
  reservedQuantity: z.int(),
  price: Money.extend({ amountMinor: z.int().positive() }),
  expiresAtMs: z.int().positive(),
});

/** product over gRPC. A deadline on every attempt; retries are safe, as a hold is idempotent by order id. */
export const grpcProducts = (resolve: Resolve, policy: Policy): Products & { close(): void } => {
  const client = createGrpcClient(
    { service: ProductServiceService },
    {
      peer: 'product',
      resolve,
      deadlineMs: policy.timeoutMs,
      policy,
      errors: errorCatalog,
      idempotent: ['reserveStock'],
    },
  );
  return {
    close: () => {
      client.close();
    },
    reserve: async (request) => {
      const answer = await client.reserveStock(request);
      switch (answer.kind) {
        case 'ok': {
          const { reservedQuantity, unitPriceMinor, currency, expiresAtMs } = answer.value;
          const terms = Terms.safeParse({
            reservedQuantity,
            price: { amountMinor: Number(unitPriceMinor), currency },
            expiresAtMs: Number(expiresAtMs),
          });
          if (!terms.success || terms.data.reservedQuantity !== request.quantity) {
            return { kind: 'unavailable', reason: 'the answer breaks the contract' };
          }
          const { price, expiresAtMs: untilMs } = terms.data;
          return {
            kind: 'held',
            unitPriceMinor: price.amountMinor,
            currency: price.currency,
            expiresAtMs: untilMs,
          };
        }
        case 'refused':
          if (answer.code === 'PRODUCT_NOT_FOUND') return { kind: 'product-unknown' };
          if (answer.code === 'STOCK_SHORT') return { kind: 'stock-short' };
          return { kind: 'unavailable', reason: answer.code };
        case 'unavailable':
          return { kind: 'unavailable', reason: answer.reason };
      }
    },
  };
};

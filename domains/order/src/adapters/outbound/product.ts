import { ProductServiceService } from '@parley/contracts/grpc/product';
import { createGrpcClient, createPolicy } from '@parley/service';
import type { Products } from '../../application/ports.ts';

const DEADLINE_MS = 1500;

/** product over gRPC. A deadline on every attempt; retries are safe, as a hold is idempotent by order id. */
export const grpcProducts = (address: string): Products & { close(): void } => {
  const policy = createPolicy({
    name: 'product',
    timeoutMs: DEADLINE_MS,
    retry: { attempts: 2, initialDelayMs: 50, maxDelayMs: 400 },
    breaker: { consecutiveFailures: 10, halfOpenAfterMs: 1000 },
  });
  const client = createGrpcClient(
    { service: ProductServiceService },
    { peer: 'product', address, deadlineMs: DEADLINE_MS, policy },
  );
  return {
    close: () => {
      client.close();
    },
    reserve: async (request) => {
      const answer = await client.reserveStock(request);
      switch (answer.kind) {
        case 'ok': {
          const { unitPriceMinor, currency, expiresAtMs } = answer.value;
          return {
            kind: 'held',
            unitPriceMinor: Number(unitPriceMinor),
            currency,
            expiresAtMs: Number(expiresAtMs),
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

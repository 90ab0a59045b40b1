import { loadConfig, portNumber, serviceConfigShape } from '@parley/service';
import { z } from 'zod';

const ProductConfig = z.object({ ...serviceConfigShape, GRPC_PORT: portNumber });
export type ProductConfig = z.infer<typeof ProductConfig>;

/** The only reader of the environment. Names every bad key on stderr and exits 3. */
export const productConfig = (): ProductConfig => loadConfig(ProductConfig);

/** What waits at the edges, passed to each. */
export const pauses = {
  /** Between two sweeps of expired holds. */
  expiryMs: 5_000,
  /** Batch window of the reaction on orders: nobody waits for it, what is held is out of the stock that others see. */
  settleMs: 250,
} as const;

import { loadConfig, portNumber, serviceConfigShape } from '@parley/service';
import { z } from 'zod';

const ProductConfig = z.object({ ...serviceConfigShape, GRPC_PORT: portNumber });
export type ProductConfig = z.infer<typeof ProductConfig>;

/** The only reader of the environment. Names every bad key on stderr and exits 3. */
export const productConfig = (): ProductConfig => loadConfig(ProductConfig);

import { hostPortList, httpOriginList, loadConfig, portNumber, serviceConfigShape } from '@parley/service';
import { z } from 'zod';

const OrderConfig = z.object({
  ...serviceConfigShape,
  GRPC_PORT: portNumber,
  /** Instances of the peers, comma-separated. */
  PRODUCT_GRPC: hostPortList,
  PAYMENT_URL: httpOriginList,
});
export type OrderConfig = z.infer<typeof OrderConfig>;

/** The only reader of the environment. Names every bad key on stderr and exits 3. */
export const orderConfig = (): OrderConfig => loadConfig(OrderConfig);

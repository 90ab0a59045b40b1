import {
  hostPortList,
  httpOriginList,
  loadConfig,
  type PolicyDefaults,
  portNumber,
  serviceConfigShape,
} from '@parley/service';
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

/** What calls to the peers may cost; `POLICY_PRODUCT_…` and `POLICY_PAYMENT_…` of the environment go before it. */
export const policyDefaults = {
  product: {
    timeoutMs: 1_500,
    retries: 2,
    breaker: 'consecutive',
    breakerFailures: 10,
    breakerWaitMs: 1_000,
  },
  payment: {
    timeoutMs: 2_000,
    retries: 2,
    breaker: 'consecutive',
    breakerFailures: 5,
    breakerWaitMs: 2_000,
    breakerProbes: 2,
  },
} as const satisfies Readonly<Record<string, PolicyDefaults>>;

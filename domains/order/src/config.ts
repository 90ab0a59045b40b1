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

/** What waits and what is bounded at the edges, passed to each. */
export const limits = {
  /** When a client may ask again after the log did not confirm. */
  retryAfterSeconds: 1,
  /** Between two sweeps of unfinished orders. */
  recoveryPauseMs: 1_000,
  streams: {
    lookMs: 100, // a look is one read from memory
    silenceMsMax: 5_000, // less than whoever is in between waits for (the gateway's route)
    streamMsMax: 300_000, // whoever is interested for longer asks again
    streamsMax: 1_000,
    streamsOfCustomerMax: 10, // nobody takes all places
    retryAfterSeconds: 5,
  },
} as const;

import { loadConfig, serviceConfigShape } from '@parley/service';
import { z } from 'zod';

const ShippingConfig = z.object({ ...serviceConfigShape, RABBITMQ_URL: z.url({ protocol: /^amqps?$/ }) });
export type ShippingConfig = z.infer<typeof ShippingConfig>;

/** The only reader of the environment. Names every bad key on stderr and exits 3. */
export const shippingConfig = (): ShippingConfig => loadConfig(ShippingConfig);

import { loadConfig, serviceConfigShape } from '@parley/service';
import { z } from 'zod';

const whole = z
  .string()
  .regex(/^\d{1,5}$/, 'must be a whole number')
  .transform(Number);

const ShippingConfig = z.object({
  ...serviceConfigShape,
  RABBITMQ_URL: z.url({ protocol: /^amqps?$/ }),
  /** Unacknowledged requests held by one instance: enough to fill the log's batches, little enough to share. */
  SHIPPING_PREFETCH: whole.pipe(z.int().min(1).max(65_535)).default(64), // AMQP counts them in 16 bits
  /** Of a request that cannot be worked on for another cause than the log, which would be a bug of this release. */
  SHIPPING_ATTEMPTS: whole.pipe(z.int().min(1)).default(100),
});
export type ShippingConfig = z.infer<typeof ShippingConfig>;

/** The only reader of the environment. Names every bad key on stderr and exits 3. */
export const shippingConfig = (): ShippingConfig => loadConfig(ShippingConfig);

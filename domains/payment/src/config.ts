import { loadConfig, serviceConfigShape } from '@parley/service';
import { z } from 'zod';

const PaymentConfig = z.object({ ...serviceConfigShape });
export type PaymentConfig = z.infer<typeof PaymentConfig>;

/** The only reader of the environment. Names every bad key on stderr and exits 3. */
export const paymentConfig = (): PaymentConfig => loadConfig(PaymentConfig);

/** When a caller may ask again after the log did not confirm. */
export const retryAfterSeconds = 1;

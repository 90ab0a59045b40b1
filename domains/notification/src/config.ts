import { loadConfig, serviceConfigShape } from '@parley/service';
import { z } from 'zod';

const NotificationConfig = z.object({ ...serviceConfigShape, RABBITMQ_URL: z.url({ protocol: /^amqps?$/ }) });
export type NotificationConfig = z.infer<typeof NotificationConfig>;

/** The only reader of the environment. Names every bad key on stderr and exits 3. */
export const notificationConfig = (): NotificationConfig => loadConfig(NotificationConfig);

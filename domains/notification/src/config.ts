import { loadConfig, serviceConfigShape, type PolicyDefaults } from '@parley/service';
import { z } from 'zod';

const NotificationConfig = z.object({ ...serviceConfigShape, RABBITMQ_URL: z.url({ protocol: /^amqps?$/ }) });
export type NotificationConfig = z.infer<typeof NotificationConfig>;

/** Without a breaker or retries of its own: the reaction that publishes is called again, for as long as it takes. */
export const policyDefaults = {
  shipping: { timeoutMs: 5_000 },
} as const satisfies Record<string, PolicyDefaults>;

/** Of the policy's time: the publisher gives up before the policy does, since it says what was not confirmed. */
export const publisherShare = 0.9;

/** The only reader of the environment. Names every bad key on stderr and exits 3. */
export const notificationConfig = (): NotificationConfig => loadConfig(NotificationConfig);

import type { ServiceName } from '@parley/contracts/endpoints';

/** Where the rival's events of a service lie. */
export const plainTopic = (service: ServiceName): string => `parley.bench.plain.${service}`;
/** Where its requests to ship go. */
export const PLAIN_QUEUE = 'parley.bench.plain.shipping';

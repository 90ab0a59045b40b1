import type { Service } from '@parley/service';
import { openWorkQueue, type WorkQueue } from '@parley/work-queue';
import { addPart } from './part.ts';

/**
 * The work queue of a service, in its readiness and drain. Parts are closed in reverse order: ask for it before the event
 * log when reactions publish to it, and after the log when its consumers append to that.
 */
export const workQueueOf = (
  service: Service,
  config: { readonly RABBITMQ_URL: string; readonly TRACE_ASYNC_HOPS: 'child' | 'link' },
): WorkQueue => {
  const queue = openWorkQueue({
    url: config.RABBITMQ_URL,
    name: service.name,
    logger: service.logger,
    asyncHops: config.TRACE_ASYNC_HOPS,
  });
  addPart(service, 'work queue', queue);
  return queue;
};

import { shippingRequests } from '@parley/contracts/queues';
import type { WorkQueue } from '@parley/work-queue';
import type { ShippingRequests } from '../../application/notify.ts';

/** Longest wait for the broker's confirm; after it the payment event is handled again. */
const CONFIRM_DEADLINE_MS = 5_000;

/** Requests to ship on the queue `shipping.requests`, as persistent JSON under the request's id. */
export const openShippingRequests = (queue: Pick<WorkQueue, 'publisher'>): ShippingRequests => {
  const publisher = queue.publisher(shippingRequests);
  return {
    publish: async (request, { correlationId, signal }) => {
      signal.throwIfAborted();
      await publisher.publish(
        {
          messageId: request.requestId,
          type: shippingRequests.messageType,
          body: Buffer.from(JSON.stringify(request)),
          correlationId,
          contentType: 'application/json',
        },
        { deadlineMs: CONFIRM_DEADLINE_MS },
      );
    },
  };
};

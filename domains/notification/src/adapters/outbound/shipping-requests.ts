import { shippingRequests } from '@parley/contracts/queues';
import { done, notYet } from '@parley/delivery';
import { PublishError, type WorkQueue } from '@parley/work-queue';
import type { ShippingRequests } from '../../application/notify.ts';

/** Longest wait for the broker's confirm; after it the payment event is handled again. */
const CONFIRM_DEADLINE_MS = 5_000;

/** Requests to ship on the queue `shipping.requests`, as persistent JSON under the request's id. */
export const openShippingRequests = (queue: Pick<WorkQueue, 'publisher'>): ShippingRequests => {
  const publisher = queue.publisher(shippingRequests);
  return {
    publish: async (request, { correlationId, signal }) => {
      signal.throwIfAborted();
      const message = {
        messageId: request.requestId,
        type: shippingRequests.messageType,
        body: Buffer.from(JSON.stringify(request)),
        correlationId,
        contentType: 'application/json',
      };
      try {
        await publisher.publish(message, { deadlineMs: CONFIRM_DEADLINE_MS });
        return done;
      } catch (error) {
        if (error instanceof PublishError && error.retryable) return notYet(error.message);
        throw error;
      }
    },
  };
};

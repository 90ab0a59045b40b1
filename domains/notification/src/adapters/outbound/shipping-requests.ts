import { shippingRequests } from '@parley/contracts/queues';
import { done, notYet } from '@parley/delivery';
import { CallFailure, PolicyError, type Policy } from '@parley/service';
import { PublishError, type WorkQueue } from '@parley/work-queue';
import type { ShippingRequests } from '../../application/notify.ts';

/** What the policy does about it: a message that can never be sent says nothing about the broker. */
const failAs = (error: unknown): never => {
  if (!(error instanceof PublishError)) throw error;
  const { reason, retryable } = error;
  throw new CallFailure(reason, { retryable, counts: retryable, cause: error });
};

/**
 * Requests to ship on the queue `shipping.requests`, as persistent JSON under the request's id. What the broker does not
 * confirm within its share of the policy's time (`publisherShare`, below 1), or does not take now, is not done yet.
 */
export const openShippingRequests = (
  queue: Pick<WorkQueue, 'publisher'>,
  policy: Policy,
  publisherShare: number,
): ShippingRequests => {
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
        const deadlineMs = publisherShare * policy.timeoutMs;
        const publish = (): Promise<void> => publisher.publish(message, { deadlineMs }).catch(failAs);
        await policy.execute(publish, { signal, idempotent: true });
        return done;
      } catch (error) {
        if (error instanceof PolicyError) return notYet(error.message);
        if (!(error instanceof CallFailure && error.cause instanceof PublishError)) throw error;
        if (error.cause.retryable) return notYet(error.cause.message);
        throw error.cause;
      }
    },
  };
};

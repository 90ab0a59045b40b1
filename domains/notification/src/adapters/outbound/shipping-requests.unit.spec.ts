import { ShippingRequested, shippingRequests } from '@parley/contracts/queues';
import { PublishError, type OutgoingMessage } from '@parley/work-queue';
import { expect, it } from 'vitest';
import { openShippingRequests } from './shipping-requests.ts';

const id = '00000000-0000-4000-8000-000000000001';
const request: ShippingRequested = {
  requestId: id,
  orderId: id,
  customerId: 'alice',
  paymentId: id,
  notificationId: id,
  requestedAt: 1_000,
};
const context = { correlationId: 'corr-1', signal: new AbortController().signal };

it('publishes the contract under the id of the request', async () => {
  const messages: OutgoingMessage[] = [];
  const requests = openShippingRequests({
    publisher: (definition) => {
      expect(definition.queue).toBe('shipping.requests');
      return { publish: (message) => Promise.resolve(void messages.push(message)) };
    },
  });
  await requests.publish(request, context);
  const [message] = messages;
  expect(message).toMatchObject({
    messageId: request.requestId,
    type: shippingRequests.messageType,
    correlationId: 'corr-1',
    contentType: 'application/json',
  });
  expect(ShippingRequested.parse(JSON.parse(message?.body.toString('utf8') ?? ''))).toEqual(request);
});

it('rejects when the broker does not confirm', async () => {
  const requests = openShippingRequests({
    publisher: () => ({ publish: () => Promise.reject(new PublishError('unconfirmed', id)) }),
  });
  await expect(requests.publish(request, context)).rejects.toMatchObject({ reason: 'unconfirmed' });
});

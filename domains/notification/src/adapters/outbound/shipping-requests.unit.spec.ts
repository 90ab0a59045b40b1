import { ShippingRequested, shippingRequests } from '@parley/contracts/queues';
import { createPolicy } from '@parley/service';
import { PublishError, type OutgoingMessage, type PublishErrorReason } from '@parley/work-queue';
import { expect, it } from 'vitest';
import { publisherShare } from '../../config.ts';
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
const policy = (timeoutMs = 1_000) => createPolicy({ name: 'shipping', timeoutMs });
const context = { correlationId: 'corr-1', signal: new AbortController().signal };

it('publishes the contract under the id of the request', async () => {
  const messages: OutgoingMessage[] = [];
  const requests = openShippingRequests(
    {
      publisher: (definition) => {
        expect(definition.queue).toBe('shipping.requests');
        return { publish: (message) => Promise.resolve(void messages.push(message)) };
      },
    },
    policy(),
    publisherShare,
  );
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

it('is not done yet when the broker does not confirm, and fails when it never will', async () => {
  const failing = (reason: PublishErrorReason) =>
    openShippingRequests(
      {
        publisher: () => ({ publish: () => Promise.reject(new PublishError(reason, id)) }),
      },
      policy(),
      publisherShare,
    );
  expect(await failing('unconfirmed').publish(request, context)).toMatchObject({ kind: 'not-yet' });
  await expect(failing('unsendable').publish(request, context)).rejects.toMatchObject({
    reason: 'unsendable',
  });
});

it('is published again as often as its policy says, and is given less time than the policy has', async () => {
  const deadlines: (number | undefined)[] = [];
  const publish = (_message: OutgoingMessage, options?: { readonly deadlineMs?: number }) => {
    deadlines.push(options?.deadlineMs);
    return deadlines.length < 3 ? Promise.reject(new PublishError('unconfirmed', id)) : Promise.resolve();
  };
  const patient = createPolicy({ name: 'shipping', timeoutMs: 1_000, retries: 2, retryDelayMs: 1 });
  const requests = openShippingRequests({ publisher: () => ({ publish }) }, patient, publisherShare);
  expect(await requests.publish(request, context)).toMatchObject({ kind: 'done' });
  expect(deadlines).toEqual([900, 900, 900]);
});

it('that can never be sent is not published again, and does not count against the broker', async () => {
  let published = 0;
  const publish = () => {
    published += 1;
    return Promise.reject(new PublishError('unsendable', id));
  };
  const settings = { retries: 2, retryDelayMs: 1, breaker: 'consecutive', breakerFailures: 1 } as const;
  const strict = createPolicy({ name: 'shipping', timeoutMs: 1_000, ...settings });
  const requests = openShippingRequests({ publisher: () => ({ publish }) }, strict, publisherShare);
  await expect(requests.publish(request, context)).rejects.toMatchObject({ reason: 'unsendable' });
  expect(published).toBe(1);
  expect(strict.status().state).toBe('closed');
});

it('is not done yet when the broker says nothing within the time of its policy', async () => {
  const silent = { publisher: () => ({ publish: () => new Promise<void>(() => undefined) }) };
  const verdict = await openShippingRequests(silent, policy(20), publisherShare).publish(request, context);
  expect(verdict).toEqual({ kind: 'not-yet', why: 'shipping: timeout' });
});

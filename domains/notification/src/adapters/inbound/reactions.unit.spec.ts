import { done, notYet } from '@parley/delivery';
import type { PaymentEvent } from '@parley/contracts/events';
import type { ShippingRequested } from '@parley/contracts/queues';
import { paymentEvents } from '@parley/contracts/topics';
import { openMemoryLog, type RecordedEvent } from '@parley/event-log';
import { notifications } from '@parley/projection-notifications';
import { currentContext } from '@parley/service';
import { expect, it, vi } from 'vitest';
import { createOnPayment, notificationAggregate } from '../../application/notify.ts';
import { onPaymentReaction } from './reactions.ts';

const id = '00000000-0000-4000-8000-000000000001';
const event: RecordedEvent<PaymentEvent> = {
  event: {
    type: 'PaymentCompleted',
    data: {
      paymentId: id,
      orderId: id,
      customerId: 'alice',
      amountMinor: 1,
      currency: 'EUR',
      completedAt: 1,
    },
  },
  streamId: `payment-${id}`,
  version: 2,
  position: { topic: 'parley.payment.events', partition: 0, offset: 1 },
  eventId: id,
  commitId: id,
  recordedAtMs: 1,
  correlationId: 'corr-1',
  causationId: undefined,
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};
const context = { signal: new AbortController().signal, attempt: 1 };

it('handles an event under the correlation id of the append', async () => {
  let seen: string | undefined;
  const reaction = onPaymentReaction(() => {
    seen = currentContext().correlationId;
    return Promise.resolve(done);
  });
  await reaction.handle(event, context);
  expect(seen).toBe('corr-1');
  expect(reaction).toMatchObject({
    group: 'parley.notification.on-payment',
    topic: { name: 'parley.payment.events' },
    types: ['PaymentCompleted', 'PaymentFailed'],
  });
});

it('hands on no correlation id that is malformed: what goes to the queue and to the log is a fresh one', async () => {
  const seen: string[] = [];
  const reaction = onPaymentReaction((_event, { correlationId }) => {
    seen.push(correlationId, currentContext().correlationId);
    return Promise.resolve(done);
  });
  for (const correlationId of ['corr\r\nx-user-id: mallory', 'c'.repeat(300)]) {
    await reaction.handle({ ...event, correlationId }, context);
  }
  expect(seen[0]).toBe(seen[1]);
  expect(seen[2]).toBe(seen[3]);
  for (const each of seen) expect(each).toMatch(/^[0-9a-f-]{36}$/);
});

it('answers what the use case answers, and rejects when it does: the offset waits for it', async () => {
  const reaction = onPaymentReaction(() => Promise.resolve(notYet('no confirm')));
  expect(await reaction.handle(event, context)).toEqual(notYet('no confirm'));
  const failing = onPaymentReaction(() => Promise.reject(new Error('broken')));
  await expect(failing.handle(event, context)).rejects.toThrow('broken');
});

it('on the log: a failed hand-over is repeated with the same request, and the customer is told once', async () => {
  const log = openMemoryLog();
  const view = log.project(notifications);
  const payments = log.aggregate<number, PaymentEvent>({
    name: 'payment',
    topic: paymentEvents,
    initial: 0,
    evolve: (count) => count + 1,
  });
  const attempts: ShippingRequested[] = [];
  const onPayment = createOnPayment({
    notifications: log.aggregate(notificationAggregate),
    shippingRequests: {
      publish: (request) => {
        attempts.push(request);
        return attempts.length === 1 ? Promise.reject(new Error('no confirm')) : Promise.resolve(done);
      },
    },
    now: () => attempts.length + 1,
  });
  log.react(onPaymentReaction(onPayment));
  await log.start();
  const paid = { streamId: `payment-${id}`, commandId: id, metadata: { correlationId: 'corr-1' } };
  await payments.execute({ ...paid, decide: () => ({ kind: 'events', events: [event.event] }) });
  await vi.waitFor(
    () => {
      expect(log.health().reactions).toMatchObject([{ handled: 1, lag: 0, stalled: undefined }]);
    },
    { timeout: 5_000 },
  );
  expect(attempts).toHaveLength(2);
  expect(attempts[1]).toEqual(attempts[0]);
  expect(view.get(id)?.notifications).toHaveLength(1);
  await log.close();
});

import type { PaymentEvent } from '@parley/contracts/events';
import type { RecordedEvent } from '@parley/event-log';
import { currentContext } from '@parley/service';
import { expect, it } from 'vitest';
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
    return Promise.resolve();
  });
  await reaction.handle(event, context);
  expect(seen).toBe('corr-1');
  expect(reaction).toMatchObject({
    group: 'parley.notification.on-payment',
    topic: { name: 'parley.payment.events' },
    types: ['PaymentCompleted', 'PaymentFailed'],
  });
});

it('resolves only when the effect has, and rejects when it does: the offset waits for it', async () => {
  const reaction = onPaymentReaction(() => Promise.reject(new Error('no confirm')));
  await expect(reaction.handle(event, context)).rejects.toThrow('no confirm');
});

import type { NotificationEvent, NotificationSent } from '@parley/contracts/events';
import type { RecordedEvent } from '@parley/event-log';
import { describe, expect, it } from 'vitest';
import { foldNotification, notifications } from './notifications.ts';

const sent: NotificationSent = {
  notificationId: 'n1',
  orderId: '00000000-0000-4000-8000-000000000001',
  customerId: 'alice',
  paymentId: 'p1',
  type: 'PAYMENT_COMPLETED',
  channel: 'EMAIL',
  message: 'Paid.',
  sentAt: 1,
};
const recorded = (change: Partial<NotificationSent> = {}): RecordedEvent<NotificationEvent> => ({
  event: { type: 'NotificationSent', data: { ...sent, ...change } },
  streamId: `notification-${sent.orderId}`,
  version: 1,
  position: { topic: 'parley.notification.events', partition: 0, offset: 0 },
  eventId: 'e',
  commitId: 'c',
  recordedAtMs: 0,
  correlationId: 'k',
  causationId: undefined,
  traceparent: undefined,
});

describe('notifications', () => {
  it('are keyed by order id', () => {
    expect(notifications.key?.(recorded())).toBe(sent.orderId);
  });

  it('carry every attribute of a notification', () => {
    expect(foldNotification(undefined, recorded())).toEqual({
      orderId: sent.orderId,
      customerId: 'alice',
      notifications: [
        {
          notificationId: 'n1',
          paymentId: 'p1',
          type: 'PAYMENT_COMPLETED',
          channel: 'EMAIL',
          status: 'SENT',
          message: 'Paid.',
          sentAtMs: 1,
        },
      ],
    });
  });

  it('of one order are listed oldest first, and earlier rows stay as they were', () => {
    const first = foldNotification(undefined, recorded());
    const second = foldNotification(first, recorded({ notificationId: 'n2', sentAt: 2 }));
    expect(first.notifications.map((entry) => entry.notificationId)).toEqual(['n1']);
    expect(second.notifications.map((entry) => entry.notificationId)).toEqual(['n1', 'n2']);
  });
});

import type { NotificationChannel, NotificationEvent, NotificationType } from '@parley/contracts/events';
import { notificationEvents } from '@parley/contracts/topics';
import type { ProjectionDefinition, RecordedEvent } from '@parley/event-log';

/** One notification. */
export interface NotificationEntry {
  readonly notificationId: string;
  readonly paymentId: string;
  readonly type: NotificationType;
  readonly channel: NotificationChannel;
  readonly status: 'SENT';
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly sentAtMs: number;
}

/** Everything a customer was told about one order, keyed by order id; oldest first. */
export interface NotificationsRow {
  readonly orderId: string;
  readonly customerId: string;
  readonly notifications: readonly NotificationEntry[];
}

/** Pure. */
export const foldNotification = (
  row: NotificationsRow | undefined,
  { event }: RecordedEvent<NotificationEvent>,
): NotificationsRow => {
  const { orderId, customerId, sentAt, notificationId, paymentId, type, channel, message } = event.data;
  const entry: NotificationEntry = {
    notificationId,
    paymentId,
    type,
    channel,
    status: 'SENT',
    message,
    sentAtMs: sentAt,
  };
  return { orderId, customerId, notifications: [...(row?.notifications ?? []), entry] };
};

/** Notifications by order id. */
export const notifications: ProjectionDefinition<NotificationsRow, NotificationEvent> = {
  name: 'notifications',
  topic: notificationEvents,
  key: ({ event }) => event.data.orderId,
  fold: foldNotification,
  module: import.meta.url,
};

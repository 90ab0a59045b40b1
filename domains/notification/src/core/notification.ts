import type { NotificationEvent, NotificationType } from '@parley/contracts/events';

/** One notification that was handed over for delivery. */
export interface SentNotification {
  readonly notificationId: string;
  readonly paymentId: string;
  readonly type: NotificationType;
  readonly sentAtMs: number;
}

/** Everything the customer was told about one order. */
export type NotificationState =
  | { readonly status: 'SILENT' }
  | { readonly status: 'NOTIFIED'; readonly sent: readonly [SentNotification, ...SentNotification[]] };

export const silent: NotificationState = { status: 'SILENT' };

/** Folds one event. */
export const evolve = (state: NotificationState, event: NotificationEvent): NotificationState => {
  const { notificationId, paymentId, type, sentAt } = event.data;
  const sent: SentNotification = { notificationId, paymentId, type, sentAtMs: sentAt };
  return { status: 'NOTIFIED', sent: state.status === 'SILENT' ? [sent] : [...state.sent, sent] };
};

/** What the customer was told about a payment's outcome, if anything. */
export const sentAbout = (
  state: NotificationState,
  paymentId: string,
  type: NotificationType,
): SentNotification | undefined =>
  state.status === 'SILENT'
    ? undefined
    : state.sent.find((sent) => sent.paymentId === paymentId && sent.type === type);

import type { NotificationEvent, NotificationType } from '@parley/contracts/events';
import { sentAbout, type NotificationState } from './notification.ts';

/** Tell the customer how the payment of an order ended. Ids and the clock arrive with the command. */
export interface NotifyCustomer {
  readonly notificationId: string;
  readonly orderId: string;
  readonly customerId: string;
  readonly paymentId: string;
  readonly type: NotificationType;
  readonly nowMs: number;
}

/** Structurally the event log's Decision. Nothing is refused. */
export interface NotificationDecision {
  readonly kind: 'events';
  readonly events: readonly NotificationEvent[];
}

/** The text, without personal data and without the amount. */
export const messageOf = (type: NotificationType, orderId: string): string => {
  switch (type) {
    case 'PAYMENT_COMPLETED':
      return `The payment for order ${orderId} was received. The order is being prepared for shipping.`;
    case 'PAYMENT_FAILED':
      return `The payment for order ${orderId} was declined. The order will not be shipped.`;
  }
};

/** Each outcome of a payment is told once: a repetition adds nothing. */
export const notifyCustomer = (state: NotificationState, command: NotifyCustomer): NotificationDecision => {
  const { nowMs, ...data } = command;
  if (sentAbout(state, command.paymentId, command.type)) return { kind: 'events', events: [] };
  const message = messageOf(command.type, command.orderId);
  return {
    kind: 'events',
    events: [{ type: 'NotificationSent', data: { ...data, channel: 'EMAIL', message, sentAt: nowMs } }],
  };
};

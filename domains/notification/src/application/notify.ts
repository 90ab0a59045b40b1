import type {
  NotificationEvent,
  NotificationType,
  PaymentCompleted,
  PaymentEvent,
  PaymentFailed,
} from '@parley/contracts/events';
import type { ShippingRequested } from '@parley/contracts/queues';
import { notificationEvents } from '@parley/contracts/topics';
import { done, notYet, type Verdict } from '@parley/delivery';
import {
  deriveId,
  type AggregateDefinition,
  type Aggregates,
  type CommandMetadata,
  type RecordedEvent,
} from '@parley/event-log';
import { notifyCustomer } from '../core/decide.ts';
import {
  evolve,
  sentAbout,
  silent,
  type NotificationState,
  type SentNotification,
} from '../core/notification.ts';

export const notificationAggregate: AggregateDefinition<NotificationState, NotificationEvent> = {
  name: 'notification',
  topic: notificationEvents,
  initial: silent,
  evolve,
  module: import.meta.url,
};

/** Where requests to ship are handed over. */
export interface ShippingRequests {
  /**
   * Done once the broker has confirmed the message, not yet while it does not; rejects when it never will. Publishing
   * again is safe.
   */
  publish(
    request: ShippingRequested,
    context: { readonly correlationId: string; readonly signal: AbortSignal },
  ): Promise<Verdict>;
}

/** Acts on one accepted payment event. */
export type OnPayment = (
  event: RecordedEvent<PaymentEvent>,
  context: { readonly signal: AbortSignal; readonly correlationId: string },
) => Promise<Verdict>;

interface Deps {
  readonly notifications: Pick<Aggregates<NotificationState, NotificationEvent>, 'execute'>;
  readonly shippingRequests: ShippingRequests;
  readonly now: () => number;
}

interface Notice {
  readonly eventId: string;
  readonly type: NotificationType;
  readonly payment: PaymentCompleted | PaymentFailed;
  readonly metadata: CommandMetadata;
}

/** The notification as the log holds it, or why it does not yet. */
const send = async (
  deps: Deps,
  { eventId, type, payment, metadata }: Notice,
): Promise<{ readonly sent: SentNotification } | { readonly awaited: string }> => {
  const { orderId, customerId, paymentId } = payment;
  const command = {
    notificationId: deriveId('notification', eventId),
    orderId,
    customerId,
    paymentId,
    type,
    nowMs: deps.now(),
  };
  const outcome = await deps.notifications.execute({
    streamId: `notification-${orderId}`,
    commandId: deriveId('notify-customer', eventId),
    decide: (state) => notifyCustomer(state, command),
    metadata,
  });
  switch (outcome.kind) {
    case 'accepted':
    case 'duplicate':
    case 'unchanged': {
      const sent = sentAbout(outcome.state, paymentId, type);
      if (!sent) throw new Error(`the log confirmed a notification about ${paymentId} that it does not have`);
      return { sent };
    }
    case 'refused':
      throw new Error('a notification was refused, which its decider never does');
    case 'conflict':
    case 'unavailable':
    case 'unknown':
      return { awaited: `the notification about order ${orderId} is not in the log: ${outcome.kind}` };
    case 'rejected':
      throw new Error(`the log refuses the notification about order ${orderId}: ${outcome.reason}`);
  }
};

/**
 * Notifies the customer, then asks shipping to ship what is paid. Both carry ids derived from the event, and the
 * message is made from what the log holds, so handling an event again repeats neither: it is done only after the
 * notification is in the log and the broker has confirmed the request.
 */
export const createOnPayment =
  (deps: Deps): OnPayment =>
  async ({ event, eventId }, { signal, correlationId }) => {
    if (event.type === 'PaymentInitiated' || event.type === 'PaymentVoided') return done;
    const metadata = { correlationId, causationId: eventId };
    const payment = event.data;
    const type = event.type === 'PaymentFailed' ? 'PAYMENT_FAILED' : 'PAYMENT_COMPLETED';
    const notice = await send(deps, { eventId, type, payment, metadata });
    if ('awaited' in notice) return notYet(notice.awaited);
    if (event.type === 'PaymentFailed') return done;
    const { sent } = notice;
    const request: ShippingRequested = {
      requestId: deriveId('shipping-request', eventId),
      orderId: payment.orderId,
      customerId: payment.customerId,
      paymentId: payment.paymentId,
      notificationId: sent.notificationId,
      requestedAt: sent.sentAtMs,
    };
    return deps.shippingRequests.publish(request, { correlationId, signal });
  };

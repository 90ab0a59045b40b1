import type { PaymentEvent } from '@parley/contracts/events';
import { paymentEvents } from '@parley/contracts/topics';
import type { ReactionDefinition } from '@parley/event-log';
import { currentContext, runInContext } from '@parley/service';
import type { OnPayment } from '../../application/notify.ts';

/** Settled payments, each at least once; the offset is committed after `onPayment` has answered `done`. */
export const onPaymentReaction = (onPayment: OnPayment): ReactionDefinition<PaymentEvent> => ({
  group: 'parley.notification.on-payment',
  topic: paymentEvents,
  types: ['PaymentCompleted', 'PaymentFailed'],
  handle: (event, { signal }) =>
    runInContext({ correlationId: event.correlationId, signal }, () =>
      onPayment(event, { signal, correlationId: currentContext().correlationId }),
    ),
});

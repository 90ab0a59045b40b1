import type { PaymentEvent } from '@parley/contracts/events';
import { paymentEvents } from '@parley/contracts/topics';
import type { Verdict } from '@parley/delivery';
import type { ReactionDefinition, RecordedEvent } from '@parley/event-log';
import { currentContext, runInContext } from '@parley/service';
import type { OnPayment } from '../../application/notify.ts';

/**
 * Settled payments, each at least once; the offset is committed after `onPayment` has answered `done`. `handled` is told
 * every verdict, on behalf of the event.
 */
export const onPaymentReaction = (
  onPayment: OnPayment,
  handled: (event: RecordedEvent<PaymentEvent>, verdict: Verdict) => void = () => undefined,
): ReactionDefinition<PaymentEvent> => ({
  group: 'parley.notification.on-payment',
  topic: paymentEvents,
  types: ['PaymentCompleted', 'PaymentFailed'],
  handle: (event, { signal }) =>
    runInContext({ correlationId: event.correlationId, signal }, async () => {
      const verdict = await onPayment(event, { signal, correlationId: currentContext().correlationId });
      handled(event, verdict);
      return verdict;
    }),
});

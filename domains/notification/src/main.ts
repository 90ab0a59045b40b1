import { deadLetterRoutes } from '@parley/delivery';
import { notifications } from '@parley/projection-notifications';
import { eventLogOf, parleyService, workQueueOf } from '@parley/service-defaults';
import { mountHttp } from './adapters/inbound/http.ts';
import { onPaymentReaction } from './adapters/inbound/reactions.ts';
import { openShippingRequests } from './adapters/outbound/shipping-requests.ts';
import { createOnPayment, notificationAggregate } from './application/notify.ts';
import { notificationConfig, policyDefaults, publisherShare } from './config.ts';

const config = notificationConfig();
const service = parleyService('notification', config);
// Before the log, whose reactions publish to it: it closes after them.
const queue = workQueueOf(service, config);
const log = eventLogOf(service, config);

const policy = service.policy('shipping', policyDefaults.shipping);
const onPayment = createOnPayment({
  notifications: log.aggregate(notificationAggregate),
  shippingRequests: openShippingRequests(queue, policy, publisherShare),
  now: Date.now,
});
log.react(
  onPaymentReaction(onPayment, ({ event }, verdict) => {
    service.logger.info(
      { orderId: event.data.orderId, event: event.type, verdict: verdict.kind },
      'payment event handled',
    );
  }),
);
mountHttp(service, { notifications: log.project(notifications) });
service.addOps(deadLetterRoutes(log.deadLetters));

await service.run(async (signal) => {
  await queue.ready({ signal });
  await log.start({ signal });
});

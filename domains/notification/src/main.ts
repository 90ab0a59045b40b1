import { atLeast } from '@parley/contracts/consistency';
import { errorCatalog } from '@parley/contracts/errors';
import { deadLetterRoutes } from '@parley/delivery';
import { openKafkaLog, projectionRoutes } from '@parley/event-log';
import { notifications } from '@parley/projection-notifications';
import { createService } from '@parley/service';
import { openWorkQueue } from '@parley/work-queue';
import { mountHttp } from './adapters/inbound/http.ts';
import { onPaymentReaction } from './adapters/inbound/reactions.ts';
import { openShippingRequests } from './adapters/outbound/shipping-requests.ts';
import { createOnPayment, notificationAggregate } from './application/notify.ts';
import { notificationConfig } from './config.ts';

const config = notificationConfig();
const service = createService({ name: 'notification', config, errors: errorCatalog });
const { logger } = service;
const queue = openWorkQueue({
  url: config.RABBITMQ_URL,
  name: 'notification',
  logger,
  asyncHops: config.TRACE_ASYNC_HOPS,
});
const log = openKafkaLog({
  service: 'notification',
  clientId: config.INSTANCE_ID ?? 'notification',
  bootstrap: config.KAFKA_BOOTSTRAP,
  registryUrl: config.REGISTRY_URL,
  logger,
  asyncHops: config.TRACE_ASYNC_HOPS,
  snapshotDir: config.SNAPSHOT_DIR,
});

const onPayment = createOnPayment({
  notifications: log.aggregate(notificationAggregate),
  shippingRequests: openShippingRequests(queue),
  now: Date.now,
});
log.react(
  onPaymentReaction(onPayment, ({ event }, verdict) => {
    logger.info(
      { orderId: event.data.orderId, event: event.type, verdict: verdict.kind },
      'payment event handled',
    );
  }),
);
service.guard(atLeast(log));
mountHttp(service, { notifications: log.project(notifications) });
service.addOps(projectionRoutes(log));
service.addOps(deadLetterRoutes(log.deadLetters));

for (const [name, part] of [
  ['work queue', queue],
  ['event log', log],
] as const) {
  service.readiness.add(name, () => {
    const { ready, waitingFor } = part.health();
    return { ready, detail: waitingFor };
  });
  // Stopped in reverse order: reactions end before the queue that they publish to closes.
  service.onStop(name, ({ deadlineMs }) => part.close({ deadlineMs }));
}
await service.run(async (signal) => {
  await queue.ready({ signal });
  await log.start({ signal });
});

import { atLeast } from '@parley/contracts/consistency';
import { errorCatalog } from '@parley/contracts/errors';
import { shippingRequests } from '@parley/contracts/queues';
import { deadLetterRoutes } from '@parley/delivery';
import { openKafkaLog, projectionRoutes } from '@parley/event-log';
import { shipments } from '@parley/projection-shipments';
import { createService } from '@parley/service';
import { openWorkQueue } from '@parley/work-queue';
import { mountHttp } from './adapters/inbound/http.ts';
import { requestConsumer } from './adapters/inbound/requests.ts';
import { createDispatch, shipmentAggregate } from './application/dispatch.ts';
import { shippingConfig } from './config.ts';

const config = shippingConfig();
const service = createService({ name: 'shipping', config, errors: errorCatalog });
const { logger } = service;
const log = openKafkaLog({
  service: 'shipping',
  clientId: config.INSTANCE_ID ?? 'shipping',
  bootstrap: config.KAFKA_BOOTSTRAP,
  registryUrl: config.REGISTRY_URL,
  logger,
  snapshotDir: config.SNAPSHOT_DIR,
});
const queue = openWorkQueue({
  url: config.RABBITMQ_URL,
  name: 'shipping',
  logger,
  asyncHops: config.TRACE_ASYNC_HOPS,
});

const dispatch = createDispatch({ shipments: log.aggregate(shipmentAggregate), now: Date.now });
service.guard(atLeast(log));
mountHttp(service, { shipments: log.project(shipments) });
service.addOps(projectionRoutes(log));
service.addOps(deadLetterRoutes(queue.deadLetters));

for (const [name, part] of [
  ['event log', log],
  ['work queue', queue],
] as const) {
  service.readiness.add(name, () => {
    const { ready, waitingFor } = part.health();
    return { ready, detail: waitingFor };
  });
  // Stopped in reverse order: requests under way are finished before the log that they append to closes.
  service.onStop(name, ({ deadlineMs }) => part.close({ deadlineMs }));
}
await service.run(async (signal) => {
  await log.start({ signal });
  queue.consume(shippingRequests, requestConsumer({ dispatch, logger }));
  await queue.ready({ signal });
});

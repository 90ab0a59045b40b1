import { atLeast } from '@parley/contracts/consistency';
import { errorCatalog } from '@parley/contracts/errors';
import { openKafkaLog, projectionRoutes } from '@parley/event-log';
import { payments } from '@parley/projection-payments';
import { createService } from '@parley/service';
import { mountHttp } from './adapters/inbound/http.ts';
import { createPay, createVoid, paymentAggregate, streamOf } from './application/pay.ts';
import { paymentConfig } from './config.ts';

const config = paymentConfig();
const service = createService({ name: 'payment', config, errors: errorCatalog });
const log = openKafkaLog({
  service: 'payment',
  clientId: config.INSTANCE_ID ?? 'payment',
  bootstrap: config.KAFKA_BOOTSTRAP,
  registryUrl: config.REGISTRY_URL,
  logger: service.logger,
  snapshotDir: config.SNAPSHOT_DIR,
});

const aggregates = log.aggregate(paymentAggregate);
service.guard(atLeast(log));
const deps = { payments: aggregates, now: Date.now };
mountHttp(service, {
  pay: createPay(deps),
  voidPayment: createVoid(deps),
  payments: log.project(payments),
  positionOf: (orderId) => aggregates.load(streamOf(orderId)).position,
});

service.addOps(projectionRoutes(log));
service.readiness.add('event log', () => {
  const { ready, waitingFor } = log.health();
  return { ready, detail: waitingFor };
});
service.onStop('event log', ({ deadlineMs }) => log.close({ deadlineMs }));
await service.run((signal) => log.start({ signal }));

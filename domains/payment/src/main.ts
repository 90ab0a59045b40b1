import { atLeast } from '@parley/contracts/consistency';
import { errorCatalog } from '@parley/contracts/errors';
import { openKafkaLog } from '@parley/event-log';
import { payments } from '@parley/projection-payments';
import { createService } from '@parley/service';
import { mountHttp } from './adapters/inbound/http.ts';
import { createPay, paymentAggregate, streamOf } from './application/pay.ts';
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
mountHttp(service, {
  pay: createPay({ payments: aggregates, now: Date.now }),
  payments: log.project(payments),
  positionOf: (orderId) => aggregates.load(streamOf(orderId)).position,
});

service.readiness.add('event log', () => {
  const { ready, waitingFor } = log.health();
  return { ready, detail: waitingFor };
});
service.onStop('event log', ({ deadlineMs }) => log.close({ deadlineMs }));
await service.run((signal) => log.start({ signal }));

import { shippingRequests } from '@parley/contracts/queues';
import { deadLetterRoutes } from '@parley/delivery';
import { shipments } from '@parley/projection-shipments';
import { eventLogOf, parleyService, workQueueOf } from '@parley/service-defaults';
import { mountHttp } from './adapters/inbound/http.ts';
import { requestConsumer } from './adapters/inbound/requests.ts';
import { createDispatch, shipmentAggregate } from './application/dispatch.ts';
import { shippingConfig } from './config.ts';

const config = shippingConfig();
const service = parleyService('shipping', config);
const log = eventLogOf(service, config);
// After the log, to which its consumers append: it closes before that.
const queue = workQueueOf(service, config);

const dispatch = createDispatch({ shipments: log.aggregate(shipmentAggregate), now: Date.now });
mountHttp(service, { shipments: log.project(shipments) });
service.addOps(deadLetterRoutes(queue.deadLetters));

await service.run(async (signal) => {
  await log.start({ signal });
  const limits = { prefetch: config.SHIPPING_PREFETCH, attempts: config.SHIPPING_ATTEMPTS };
  queue.consume(shippingRequests, requestConsumer({ dispatch, logger: service.logger }, limits));
  await queue.ready({ signal });
});

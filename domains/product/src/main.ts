import { atLeast } from '@parley/contracts/consistency';
import { errorCatalog } from '@parley/contracts/errors';
import { deadLetterRoutes } from '@parley/delivery';
import { openKafkaLog, projectionRoutes } from '@parley/event-log';
import { productsProjection } from '@parley/projection-products';
import { createService, startLoop } from '@parley/service';
import { mountGrpc } from './adapters/inbound/grpc.ts';
import { mountHttp } from './adapters/inbound/http.ts';
import { onOrder } from './adapters/inbound/reactions.ts';
import { readSeed } from './adapters/outbound/seed-file.ts';
import { productAggregate, streamOf } from './application/aggregate.ts';
import { createExpiry } from './application/expiry.ts';
import { ordersProjection } from './application/orders.ts';
import { seedProducts } from './application/seed.ts';
import { createSettle } from './application/settle.ts';
import { createStock } from './application/stock.ts';
import { productConfig } from './config.ts';

const EXPIRY_PAUSE_MS = 5_000;
/**
 * How far what is known of orders may be behind; what settles them gathers for longer. A read that names the position of an
 * order (`x-parley-at-least`) waits as much longer, and one that does not want to wait is refused for as long.
 */
const ORDERS_GATHER_MS = 100;

const config = productConfig();
const service = createService({ name: 'product', config, errors: errorCatalog });
const { logger } = service;
const log = openKafkaLog({
  service: 'product',
  clientId: config.INSTANCE_ID ?? 'product',
  bootstrap: config.KAFKA_BOOTSTRAP,
  registryUrl: config.REGISTRY_URL,
  logger,
  asyncHops: config.TRACE_ASYNC_HOPS,
  snapshotDir: config.SNAPSHOT_DIR,
});

const now = Date.now;
const products = log.aggregate(productAggregate);
const view = log.project(productsProjection);
const orders = log.project(ordersProjection, { gatherMs: ORDERS_GATHER_MS });
const stock = createStock({ products, now });
log.react(onOrder(createSettle({ stock, orders, log: logger, now })));
service.guard(atLeast(log));
mountHttp(service, { view });
mountGrpc(service, {
  stock,
  view,
  positionOf: (productId) => products.load(streamOf(productId)).position,
});

service.addOps(projectionRoutes(log));
service.addOps(deadLetterRoutes(log.deadLetters));
service.readiness.add('event log', () => {
  const { ready, waitingFor } = log.health();
  return { ready, detail: waitingFor };
});
service.onStop('event log', ({ deadlineMs }) => log.close({ deadlineMs }));
await service.run(async (signal) => {
  await log.start({ signal });
  const added = await seedProducts({ products, now }, readSeed());
  if (added > 0) logger.info({ added }, 'the catalogue was seeded');
  const expiry = startLoop({
    pauseMs: EXPIRY_PAUSE_MS,
    work: createExpiry({ products, orders, health: () => log.health(), log: logger, now }),
    failed: (err) => {
      logger.error({ err }, 'the sweep of expired holds failed');
    },
    signal,
  });
  service.onStop('expiry', () => expiry.stop());
});

import { deadLetterRoutes } from '@parley/delivery';
import { productsProjection } from '@parley/projection-products';
import { eventLogOf, parleyService } from '@parley/service-defaults';
import { mountGrpc } from './adapters/inbound/grpc.ts';
import { mountHttp } from './adapters/inbound/http.ts';
import { onOrder } from './adapters/inbound/reactions.ts';
import { startExpiry } from './adapters/inbound/expiry.ts';
import { readSeed } from './adapters/outbound/seed-file.ts';
import { productAggregate, streamOf } from './application/aggregate.ts';
import { ordersProjection, ORDERS_GATHER_MS } from './application/orders.ts';
import { seedProducts } from './application/seed.ts';
import { createSettle } from './application/settle.ts';
import { createStock } from './application/stock.ts';
import { pauses, productConfig } from './config.ts';

const config = productConfig();
const service = parleyService('product', config);
const log = eventLogOf(service, config);

const { logger } = service;
const now = Date.now;
const products = log.aggregate(productAggregate);
const view = log.project(productsProjection);
const orders = log.project(ordersProjection, { gatherMs: ORDERS_GATHER_MS });
const stock = createStock({ products, now });
log.react(onOrder(createSettle({ stock, orders, log: logger, now }), { gatherMs: pauses.settleMs }));
mountHttp(service, { view });
mountGrpc(service, { stock, view, positionOf: (productId) => products.load(streamOf(productId)).position });

service.addOps(deadLetterRoutes(log.deadLetters));
await service.run(async (signal) => {
  await log.start({ signal });
  const added = await seedProducts({ products, now }, readSeed());
  if (added > 0) logger.info({ added }, 'the catalogue was seeded');
  const deps = { products, orders, health: () => log.health(), now, pauseMs: pauses.expiryMs };
  startExpiry(service, deps, signal);
});

import { atLeast } from '@parley/contracts/consistency';
import { errorCatalog } from '@parley/contracts/errors';
import { metricDefinitions } from '@parley/contracts/telemetry';
import { deadLetterRoutes } from '@parley/delivery';
import { openKafkaLog, projectionRoutes } from '@parley/event-log';
import { orders as ordersProjection } from '@parley/projection-orders';
import {
  answerWithinMs,
  createService,
  grpcInstances,
  httpInstances,
  observeCount,
  runInContext,
  startLoop,
} from '@parley/service';
import { mountGrpc } from './adapters/inbound/grpc.ts';
import { mountHttp } from './adapters/inbound/http.ts';
import { onShipment } from './adapters/inbound/reactions.ts';
import { observedOrders } from './adapters/outbound/observed-orders.ts';
import { restPayments } from './adapters/outbound/payment.ts';
import { grpcProducts } from './adapters/outbound/product.ts';
import { createAdvance, orderAggregate, streamOf } from './application/advance.ts';
import { createPlaceOrder } from './application/place-order.ts';
import { createRecordShipment, unmatchedShipments } from './application/record-shipment.ts';
import { createRecovery, unfinishedOrders } from './application/recovery.ts';
import { orderConfig, policyDefaults } from './config.ts';

const RECOVERY_PAUSE_MS = 1000;

const config = orderConfig();
const service = createService({
  name: 'order',
  config,
  errors: errorCatalog,
  peers: [...grpcInstances('product', config.PRODUCT_GRPC), ...httpInstances('payment', config.PAYMENT_URL)],
});
const { logger, resolve } = service;
const log = openKafkaLog({
  service: 'order',
  clientId: config.INSTANCE_ID ?? 'order',
  bootstrap: config.KAFKA_BOOTSTRAP,
  registryUrl: config.REGISTRY_URL,
  logger,
  asyncHops: config.TRACE_ASYNC_HOPS,
  snapshotDir: config.SNAPSHOT_DIR,
});

const now = Date.now;
const products = grpcProducts(resolve, service.policy('product', policyDefaults.product));
const payments = restPayments(resolve, service.policy('payment', policyDefaults.payment));
const orders = observedOrders(log.aggregate(orderAggregate), { logger, now });
const view = log.project(ordersProjection);
const unfinished = log.project(unfinishedOrders);
observeCount(metricDefinitions.ordersUnfinished, () => unfinished.size);
const advance = createAdvance({ orders, products, payments, now });
log.project(unmatchedShipments);
const recordShipment = createRecordShipment({
  orders,
  advance,
  unmatched: ({ orderId, shipmentId }, status) => {
    logger.error({ orderId, shipmentId, status }, 'a shipment matches no order that can be shipped');
  },
  now,
});
log.react(onShipment(recordShipment));
service.guard(atLeast(log));
mountHttp(service, {
  placeOrder: createPlaceOrder({ orders, advance, now, leftMs: answerWithinMs }),
  orders: view,
  positionOf: (orderId) => orders.load(streamOf(orderId)).position,
});
mountGrpc(service, view);

service.addOps(projectionRoutes(log));
service.addOps(deadLetterRoutes(log.deadLetters));
service.readiness.add('event log', () => {
  const { ready, waitingFor } = log.health();
  return { ready, detail: waitingFor };
});
service.onStop('clients', () => {
  products.close();
  return Promise.resolve();
});
service.onStop('event log', ({ deadlineMs }) => log.close({ deadlineMs }));
await service.run(async (signal) => {
  await log.start({ signal });
  const sweep = createRecovery({
    unfinished,
    advance,
    onBehalfOf: runInContext,
    failed: (orderId, err) => {
      logger.error({ orderId, err }, 'an unfinished order could not be advanced');
    },
    now,
  });
  const recovery = startLoop({
    pauseMs: RECOVERY_PAUSE_MS,
    work: async (stopping) => {
      const settled = await sweep(stopping);
      if (settled > 0) logger.info({ orders: settled }, 'unfinished orders were settled');
    },
    failed: (err) => {
      logger.error({ err }, 'the sweep of unfinished orders failed');
    },
    signal,
  });
  service.onStop('recovery', () => recovery.stop());
});

import { deadLetterRoutes } from '@parley/delivery';
import { orders as ordersProjection } from '@parley/projection-orders';
import { answerWithinMs } from '@parley/service';
import { eventLogOf, parleyService } from '@parley/service-defaults';
import { mountGrpc } from './adapters/inbound/grpc.ts';
import { mountHttp } from './adapters/inbound/http.ts';
import { mountOrderEvents } from './adapters/inbound/order-events.ts';
import { onShipment } from './adapters/inbound/reactions.ts';
import { startRecovery } from './adapters/inbound/recovery.ts';
import { observedOrders } from './adapters/outbound/observed-orders.ts';
import { openPeers, peersIn } from './adapters/outbound/peers.ts';
import { tellUnmatched } from './adapters/outbound/unmatched-shipments.ts';
import { createAdvance, orderAggregate, streamOf } from './application/advance.ts';
import { createPlaceOrder } from './application/place-order.ts';
import { createRecordShipment, unmatchedShipments } from './application/record-shipment.ts';
import { unfinishedOrders } from './application/recovery.ts';
import { limits, orderConfig } from './config.ts';

const config = orderConfig();
const service = parleyService('order', config, { peers: peersIn(config) });
// Before the log, whose reactions call them: they close after it.
const peers = openPeers(service);
const log = eventLogOf(service, config);

const { logger } = service;
const now = Date.now;
const orders = observedOrders(log.aggregate(orderAggregate), { logger, now });
const view = log.project(ordersProjection);
const unfinished = log.project(unfinishedOrders);
log.project(unmatchedShipments);
const advance = createAdvance({ orders, ...peers, now });
const placeOrder = createPlaceOrder({ orders, advance, now, leftMs: answerWithinMs });
log.react(onShipment(createRecordShipment({ orders, advance, unmatched: tellUnmatched(logger), now })));
const positionOf = (id: string) => orders.load(streamOf(id)).position;
mountHttp(service, { placeOrder, orders: view, positionOf, retryAfterSeconds: limits.retryAfterSeconds });
mountOrderEvents(service, view, limits.streams);
mountGrpc(service, view);
service.addOps(deadLetterRoutes(log.deadLetters));

await service.run(async (signal) => {
  await log.start({ signal });
  startRecovery(service, { unfinished, advance, now, pauseMs: limits.recoveryPauseMs }, signal);
});

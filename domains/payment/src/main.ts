import { payments } from '@parley/projection-payments';
import { eventLogOf, parleyService } from '@parley/service-defaults';
import { mountHttp } from './adapters/inbound/http.ts';
import { createPay, createVoid, paymentAggregate, streamOf } from './application/pay.ts';
import { paymentConfig, retryAfterSeconds } from './config.ts';

const config = paymentConfig();
const service = parleyService('payment', config);
const log = eventLogOf(service, config);

const aggregates = log.aggregate(paymentAggregate);
const deps = { payments: aggregates, now: Date.now };
mountHttp(service, {
  pay: createPay(deps),
  voidPayment: createVoid(deps),
  payments: log.project(payments),
  positionOf: (orderId) => aggregates.load(streamOf(orderId)).position,
  retryAfterSeconds,
});

await service.run((signal) => log.start({ signal }));

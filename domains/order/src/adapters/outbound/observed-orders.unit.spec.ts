import { errorCatalog } from '@parley/contracts/errors';
import { deriveId, openMemoryLog } from '@parley/event-log';
import { testService } from '@parley/service/testing';
import { expect, it } from 'vitest';
import { orderAggregate, streamOf } from '../../application/advance.ts';
import { observedOrders } from './observed-orders.ts';

it('every change of status is counted and logged once, however often the command is sent', async () => {
  const service = testService({ name: 'order', errors: errorCatalog });
  const lines: object[] = [];
  const log = openMemoryLog();
  const orders = observedOrders(log.aggregate(orderAggregate), {
    logger: { info: (fields: object) => void lines.push(fields) },
    now: () => 5_000,
  });
  await service.run(() => log.start());
  const orderId = '00000000-0000-4000-8000-000000000001';
  const data = { orderId, customerId: 'alice', productId: orderId, quantity: 1 };
  const command = {
    streamId: streamOf(orderId),
    commandId: deriveId('test', orderId),
    decide: () =>
      ({
        kind: 'events',
        events: [
          { type: 'OrderCreated', data: { ...data, channel: 'WEB', createdAt: 1_000, dispatchBy: 2_000 } },
        ],
      }) as const,
    metadata: { correlationId: 'c-1' },
  };
  await orders.execute(command);
  await orders.execute(command);
  expect(lines).toEqual([{ orderId, orderStatus: 'CREATED' }]);
  const text = await (await fetch(`http://127.0.0.1:${service.ports.ops ?? 0}/metrics`)).text();
  expect(text).toMatch(/^parley_order_transitions_total\{parley_order_status="CREATED"\} 1$/m);
  await log.close();
  await service.stop();
});

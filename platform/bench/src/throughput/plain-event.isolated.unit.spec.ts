import { randomUUID } from 'node:crypto';
import type { OrderEvent } from '@parley/contracts/events';
import { orderEvents } from '@parley/contracts/topics';
import { createMemoryBroker, openMemoryLog } from '@parley/event-log';
import { expect, it } from 'vitest';
import { plainRecord, readPlain } from './plain-event.ts';

const orderId = randomUUID();
const paid = { orderId, paymentId: randomUUID(), paidAt: Date.now() };
const sizes = (headers: Readonly<Record<string, unknown>> | undefined): object =>
  Object.fromEntries(
    Object.entries(headers ?? {})
      .map(([name, value]) => [name, Buffer.byteLength(value as string | Buffer)] as const)
      .sort(),
  );

it('an event that is appended and one that is sent plainly are records of one shape and size', async () => {
  const broker = createMemoryBroker();
  const log = openMemoryLog({ broker, service: 'order' });
  const orders = log.aggregate<number, OrderEvent>({
    name: 'order',
    topic: orderEvents,
    initial: 0,
    evolve: (count) => count + 1,
  });
  await log.start();
  try {
    const of = { correlationId: randomUUID(), causationId: randomUUID() };
    const outcome = await orders.execute({
      streamId: `order-${orderId}`,
      commandId: randomUUID(),
      decide: () => ({ kind: 'events', events: [{ type: 'OrderPaid', data: paid }] }),
      metadata: of,
    });
    if (outcome.kind !== 'accepted') throw new Error(outcome.kind);
    const [appended] = broker.records(orderEvents.name, outcome.position.partition);
    const event = { type: 'OrderPaid', data: paid };
    const plain = plainRecord(`order-${orderId}`, event, { service: 'order', ...of });
    const { traceparent, ...headers } = plain.headers ?? {}; // nothing is traced here
    expect(traceparent).toHaveLength(55);
    expect(sizes(headers)).toEqual(sizes(appended?.headers));
    expect(String(plain.key)).toBe(String(appended?.key));
    // The log's own schema id stands where the plain record has zeros.
    expect((plain.value as Buffer).subarray(5)).toEqual(appended?.value?.subarray(5));
    expect(readPlain(plain)).toMatchObject({ ...event, correlationId: of.correlationId });
  } finally {
    await log.close();
  }
});

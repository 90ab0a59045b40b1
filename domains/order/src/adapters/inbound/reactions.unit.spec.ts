import { done, notYet } from '@parley/delivery';
import { errorCatalog } from '@parley/contracts/errors';
import type { ShippingEvent } from '@parley/contracts/events';
import { shippingEvents } from '@parley/contracts/topics';
import { deriveId, openMemoryLog, type RecordedEvent } from '@parley/event-log';
import { currentContext } from '@parley/service';
import { captureSpans, testService } from '@parley/service/testing';
import { expect, it, vi } from 'vitest';
import type { RecordShipment } from '../../application/record-shipment.ts';
import { createWorld, metadata, orderIdOf, request } from '../../../testing/world.ts';
import { onShipment } from './reactions.ts';

const id = '00000000-0000-4000-8000-000000000001';
const dispatched: ShippingEvent = {
  type: 'ShipmentDispatched',
  data: {
    shipmentId: id,
    orderId: id,
    customerId: 'alice',
    carrier: 'Parley Post',
    trackingNumber: 'PP0000000000000001',
    dispatchedAt: 1,
  },
};
const event: RecordedEvent<ShippingEvent> = {
  event: dispatched,
  streamId: `shipment-${id}`,
  version: 1,
  position: { topic: 'parley.shipping.events', partition: 0, offset: 0 },
  eventId: id,
  commitId: id,
  recordedAtMs: 1,
  correlationId: 'corr-1',
  causationId: undefined,
  traceparent: undefined,
};
const context = { signal: new AbortController().signal, attempt: 1 };

it('tells the order of its shipment, under the correlation id of the shipment and caused by its event', async () => {
  const told: Parameters<RecordShipment>[] = [];
  let seen: string | undefined;
  const reaction = onShipment((...args) => {
    told.push(args);
    seen = currentContext().correlationId;
    return Promise.resolve(done);
  });
  await reaction.handle(event, context);
  expect(seen).toBe('corr-1');
  expect(told).toEqual([
    [
      { orderId: id, shipmentId: id, carrier: 'Parley Post', trackingNumber: 'PP0000000000000001' },
      { correlationId: 'corr-1', causationId: id },
    ],
  ]);
  expect(reaction).toMatchObject({
    group: 'parley.order.on-shipment',
    topic: { name: 'parley.shipping.events' },
    types: ['ShipmentDispatched'],
  });
});

it('hands on no correlation id that is malformed', async () => {
  const told: string[] = [];
  const reaction = onShipment((_shipment, given) => {
    told.push(given.correlationId);
    return Promise.resolve(done);
  });
  await reaction.handle({ ...event, correlationId: 'corr\r\nx-user-id: mallory' }, context);
  expect(told).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/)]);
});

it('answers that the order could not be told yet, so that the offset waits', async () => {
  const reaction = onShipment(() => Promise.resolve(notYet('PAYMENT_PENDING')));
  expect(await reaction.handle(event, context)).toEqual(notYet('PAYMENT_PENDING'));
});

it('on the log: tells again until it succeeds, and a shipment that is appended twice is told once', async () => {
  const log = openMemoryLog();
  const shipments = log.aggregate<number, ShippingEvent>({
    name: 'shipment',
    topic: shippingEvents,
    initial: 0,
    evolve: (count) => count + 1,
  });
  let attempts = 0;
  log.react(onShipment(() => Promise.resolve(++attempts < 3 ? notYet('the order is not paid') : done)));
  await log.start();
  const command = { streamId: `shipment-${id}`, commandId: id, metadata: { correlationId: 'corr-1' } };
  const append = () =>
    shipments.execute({ ...command, decide: () => ({ kind: 'events', events: [dispatched] }) });
  expect([(await append()).kind, (await append()).kind]).toEqual(['accepted', 'duplicate']);
  await vi.waitFor(
    () => {
      expect(log.health().reactions).toMatchObject([{ handled: 1, lag: 0, stalled: undefined }]);
    },
    { timeout: 5_000 },
  );
  expect(attempts).toBe(3);
  await log.close();
});

it('on the log: a shipment of an unknown order stops nothing behind it in its partition', async () => {
  await using world = createWorld();
  const { log, orders, placeOrder, recordShipment, view, unmatched } = await world.open();
  const reacting = openMemoryLog({ broker: world.broker });
  const shipments = reacting.aggregate<number, ShippingEvent>({
    name: 'shipment',
    topic: shippingEvents,
    initial: 0,
    evolve: (count) => count + 1,
  });
  reacting.react(onShipment(recordShipment));
  await reacting.start();
  await placeOrder(request(), metadata);
  const paid = orderIdOf(request());
  expect(orders.load(`order-${paid}`).state.status).toBe('PAID');
  for (const orderId of [id, paid]) {
    const data = { ...dispatched.data, orderId, shipmentId: orderId };
    await shipments.execute({
      streamId: 'shipment-of-one-partition',
      commandId: deriveId('test', orderId),
      decide: () => ({ kind: 'events', events: [{ type: 'ShipmentDispatched', data }] }),
      metadata,
    });
  }
  await vi.waitFor(
    () => {
      expect(reacting.health().reactions).toMatchObject([{ handled: 2, lag: 0, stalled: undefined }]);
    },
    { timeout: 5_000 },
  );
  expect(view.get(paid)?.status).toBe('SHIPPED');
  expect(unmatched.list({ limit: 10 })).toMatchObject([{ orderId: id, reason: 'ORDER_UNKNOWN' }]);
  const rows = log.projectionRows('unmatched-shipments', { limit: 10 })?.rows;
  expect(rows).toMatchObject([{ key: `${id}/${id}` }]);
  await reacting.close();
});

it.each(['child', 'link'] as const)('hangs on the append of the shipment as its %s', async (asyncHops) => {
  const spans = captureSpans();
  testService({
    name: 'order',
    errors: errorCatalog,
    spanProcessors: [spans.processor],
  });
  const log = openMemoryLog({ asyncHops });
  const shipments = log.aggregate<number, ShippingEvent>({
    name: 'shipment',
    topic: shippingEvents,
    initial: 0,
    evolve: (count) => count + 1,
  });
  log.react(onShipment(() => Promise.resolve(done)));
  await log.start();
  const metadata = { correlationId: 'corr-1' };
  const decide = () => ({ kind: 'events', events: [dispatched] }) as const;
  await shipments.execute({ streamId: `shipment-${id}`, commandId: id, decide, metadata });
  const spanOf = (name: string) =>
    spans.finished().find((span) => span.name === `${name} ${shippingEvents.name}`);
  await vi.waitFor(() => {
    expect(spanOf('process')).toBeDefined();
  });
  const [publisher, consumer] = [spanOf('publish')?.spanContext(), spanOf('process')];
  expect(publisher?.traceId).toMatch(/[1-9a-f]/);
  expect(consumer?.parentSpanContext?.spanId).toBe(asyncHops === 'child' ? publisher?.spanId : undefined);
  expect(consumer?.spanContext().traceId === publisher?.traceId).toBe(asyncHops === 'child');
  expect(consumer?.links.map((link) => link.context.spanId)).toEqual(
    asyncHops === 'link' ? [publisher?.spanId] : [],
  );
  await log.close();
});

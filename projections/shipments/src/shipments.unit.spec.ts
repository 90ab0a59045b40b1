import type { ShippingEvent } from '@parley/contracts/events';
import type { RecordedEvent } from '@parley/event-log';
import { describe, expect, it } from 'vitest';
import { foldShipment, shipments } from './shipments.ts';

const data = {
  shipmentId: '00000000-0000-4000-8000-0000000000dd',
  orderId: '00000000-0000-4000-8000-000000000001',
  customerId: 'alice',
  carrier: 'Parley Post',
  trackingNumber: 'PP8F0123456789ABCD',
};
const dispatched: RecordedEvent<ShippingEvent> = {
  event: { type: 'ShipmentDispatched', data: { ...data, dispatchedAt: 1 } },
  streamId: `shipment-${data.orderId}`,
  version: 1,
  position: { topic: 'parley.shipping.events', partition: 0, offset: 0 },
  eventId: 'e',
  commitId: 'c',
  recordedAtMs: 0,
  correlationId: 'k',
  causationId: undefined,
  traceparent: undefined,
};

describe('shipments', () => {
  it('are keyed by order id', () => {
    expect(shipments.key?.(dispatched)).toBe(data.orderId);
  });

  it('carry every attribute of a shipment', () => {
    expect(foldShipment(undefined, dispatched)).toEqual({ ...data, status: 'DISPATCHED', dispatchedAtMs: 1 });
  });
});

import type { ShippingEvent } from '@parley/contracts/events';
import { shippingEvents } from '@parley/contracts/topics';
import type { ProjectionDefinition, RecordedEvent } from '@parley/event-log';

/** The shipment of one order, keyed by order id. */
export interface ShipmentRow {
  readonly shipmentId: string;
  readonly orderId: string;
  readonly customerId: string;
  readonly status: 'DISPATCHED';
  readonly carrier: string;
  readonly trackingNumber: string;
  /** Milliseconds since the epoch. */
  readonly dispatchedAtMs: number;
}

/** Pure. */
export const foldShipment = (
  _row: ShipmentRow | undefined,
  { event }: RecordedEvent<ShippingEvent>,
): ShipmentRow => {
  const { shipmentId, orderId, customerId, carrier, trackingNumber, dispatchedAt } = event.data;
  return {
    shipmentId,
    orderId,
    customerId,
    status: 'DISPATCHED',
    carrier,
    trackingNumber,
    dispatchedAtMs: dispatchedAt,
  };
};

/** Shipments by order id. */
export const shipments: ProjectionDefinition<ShipmentRow, ShippingEvent> = {
  name: 'shipments',
  topic: shippingEvents,
  key: ({ event }) => event.data.orderId,
  fold: foldShipment,
  module: import.meta.url,
};

import type { ShippingEvent } from '@parley/contracts/events';

/** The shipment of one order. */
export type ShipmentState =
  | { readonly status: 'NONE' }
  | { readonly status: 'DISPATCHED'; readonly shipmentId: string; readonly dispatchedAtMs: number };

export const noShipment: ShipmentState = { status: 'NONE' };

/** Folds one event. Throws on a second dispatch: decide never makes such a stream. */
export const evolve = (state: ShipmentState, event: ShippingEvent): ShipmentState => {
  if (state.status !== 'NONE') throw new Error(`${event.type} of a shipment that is ${state.status}`);
  const { shipmentId, dispatchedAt } = event.data;
  return { status: 'DISPATCHED', shipmentId, dispatchedAtMs: dispatchedAt };
};

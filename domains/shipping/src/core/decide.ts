import type { ShippingEvent } from '@parley/contracts/events';
import type { ShipmentState } from './shipment.ts';

/** Who carries every shipment. */
export const CARRIER = 'Parley Post';

/** Ship a paid order. Ids and the clock arrive with the command. */
export interface DispatchShipment {
  /** Derived from the request's id, so that a repeated request names the same shipment. */
  readonly shipmentId: string;
  readonly requestId: string;
  readonly orderId: string;
  readonly customerId: string;
  readonly nowMs: number;
}

/** The order left under another request. Final: an order is never dispatched twice. */
export interface AlreadyDispatched {
  readonly type: 'AlreadyDispatched';
  readonly orderId: string;
  /** The shipment that carries the order. */
  readonly shipmentId: string;
}

/** Structurally the event log's Decision. */
export type ShipmentDecision =
  | { readonly kind: 'events'; readonly events: readonly ShippingEvent[] }
  | { readonly kind: 'refused'; readonly rejection: AlreadyDispatched };

/** `PP` and 16 digits of the request's id (64 of its bits): the same for every repetition of the request. */
export const trackingNumberOf = (requestId: string): string =>
  `PP${requestId.replaceAll('-', '').slice(16).toUpperCase()}`;

/** Dispatches once. A repetition of the request adds nothing; another request for the same order is refused. */
export const dispatchShipment = (state: ShipmentState, command: DispatchShipment): ShipmentDecision => {
  const { shipmentId, requestId, orderId, customerId, nowMs } = command;
  switch (state.status) {
    case 'NONE':
      return {
        kind: 'events',
        events: [
          {
            type: 'ShipmentDispatched',
            data: {
              shipmentId,
              orderId,
              customerId,
              carrier: CARRIER,
              trackingNumber: trackingNumberOf(requestId),
              dispatchedAt: nowMs,
            },
          },
        ],
      };
    case 'DISPATCHED':
      return state.shipmentId === shipmentId
        ? { kind: 'events', events: [] }
        : {
            kind: 'refused',
            rejection: { type: 'AlreadyDispatched', orderId, shipmentId: state.shipmentId },
          };
  }
};

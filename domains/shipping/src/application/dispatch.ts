import type { ShippingEvent } from '@parley/contracts/events';
import type { ShippingRequested } from '@parley/contracts/queues';
import { shippingEvents } from '@parley/contracts/topics';
import { deriveId, type AggregateDefinition, type Aggregates } from '@parley/event-log';
import { dispatchShipment, type AlreadyDispatched } from '../core/decide.ts';
import { evolve, noShipment, type ShipmentState } from '../core/shipment.ts';

export const shipmentAggregate: AggregateDefinition<ShipmentState, ShippingEvent> = {
  name: 'shipment',
  topic: shippingEvents,
  initial: noShipment,
  evolve,
  module: import.meta.url,
};

/** The stream of an order's shipment. */
export const streamOf = (orderId: string): string => `shipment-${orderId}`;

export type DispatchOutcome =
  /** In the log; `repeated` when it already was. */
  | { readonly kind: 'dispatched'; readonly repeated: boolean }
  | { readonly kind: 'refused'; readonly rejection: AlreadyDispatched }
  /** The log has not confirmed it: the request is to be tried again. */
  | { readonly kind: 'unconfirmed'; readonly why: 'conflict' | 'unavailable' | 'unknown' };

/** Ships a paid order. Rejects when the log refuses it for good. */
export type Dispatch = (
  request: ShippingRequested,
  context: { readonly correlationId: string },
) => Promise<DispatchOutcome>;

interface Deps {
  readonly shipments: Pick<Aggregates<ShipmentState, ShippingEvent>, 'execute'>;
  readonly now: () => number;
}

/**
 * Dispatches an order at most once: shipment and command ids are derived from the request's id, and the stream's
 * state refuses any other request for the same order. Resolves after the shipment was read back from the log.
 */
export const createDispatch =
  (deps: Deps): Dispatch =>
  async ({ requestId, orderId, customerId }, { correlationId }) => {
    const command = {
      shipmentId: deriveId('shipment', requestId),
      requestId,
      orderId,
      customerId,
      nowMs: deps.now(),
    };
    const outcome = await deps.shipments.execute({
      streamId: streamOf(orderId),
      commandId: deriveId('dispatch-shipment', requestId),
      decide: (state) => dispatchShipment(state, command),
      metadata: { correlationId, causationId: requestId },
    });
    switch (outcome.kind) {
      case 'accepted':
        return { kind: 'dispatched', repeated: false };
      case 'duplicate':
      case 'unchanged':
        return { kind: 'dispatched', repeated: true };
      case 'refused':
        return { kind: 'refused', rejection: outcome.rejection };
      case 'conflict':
      case 'unavailable':
      case 'unknown':
        return { kind: 'unconfirmed', why: outcome.kind };
      case 'rejected':
        throw new Error(`the log refuses the shipment of order ${orderId}: ${outcome.reason}`);
    }
  };

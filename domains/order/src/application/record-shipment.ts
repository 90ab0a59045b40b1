import type { OrderEvent, UnmatchedReason } from '@parley/contracts/events';
import { orderEvents } from '@parley/contracts/topics';
import { done, notYet, type Verdict } from '@parley/delivery';
import { deriveId, type CommandMetadata, type ProjectionDefinition } from '@parley/event-log';
import { recordShipped } from '../core/decide.ts';
import type { OrderState } from '../core/order.ts';
import { streamOf, type Advance, type Orders } from './advance.ts';

export interface Dispatched {
  readonly orderId: string;
  readonly shipmentId: string;
  readonly carrier: string;
  readonly trackingNumber: string;
}

export type RecordShipment = (shipment: Dispatched, metadata: CommandMetadata) => Promise<Verdict>;

/** A shipment that no order can be shipped by. Shown on the operations port for as long as the log lives. */
export interface UnmatchedRow extends Dispatched {
  readonly reason: UnmatchedReason;
  readonly recordedAtMs: number;
}

/** Every unmatched shipment, by order and shipment: `GET /ops/projections/unmatched-shipments/rows`. */
export const unmatchedShipments: ProjectionDefinition<UnmatchedRow, OrderEvent> = {
  name: 'unmatched-shipments',
  topic: orderEvents,
  key: (recorded) => {
    const { orderId } = recorded.event.data;
    return recorded.event.type === 'ShipmentUnmatched'
      ? `${orderId}/${recorded.event.data.shipmentId}`
      : orderId; // never a row
  },
  fold: (row, { event }) => {
    if (event.type !== 'ShipmentUnmatched') return row;
    const { recordedAt, ...unmatched } = event.data;
    return row ?? { ...unmatched, recordedAtMs: recordedAt };
  },
  module: import.meta.url,
};

const isShippedBy = (state: OrderState, shipmentId: string): boolean =>
  state.status === 'SHIPPED' && state.shipped.shipmentId === shipmentId;

/**
 * Marks the order as shipped. A shipment can arrive before the order knows that it is paid (a crash between payment
 * and OrderPaid): the order is brought up to date first. Answers `not-yet` while that is not possible, or while the log
 * does not confirm; rejects when the log refuses what it has to say.
 *
 * Done is also a shipment that can never be recorded, as its order is unknown, cancelled or shipped by another shipment:
 * that is recorded as ShipmentUnmatched on the order's stream, told to `unmatched` by the instance that recorded it, and
 * stops nothing behind it. An order that this instance has not read yet is not taken for unknown: it was in the log
 * before its shipment was, so the append of ShipmentUnmatched on version 0 loses and is decided again.
 */
export const createRecordShipment =
  (deps: {
    readonly orders: Orders;
    readonly advance: Advance;
    readonly unmatched: (shipment: Dispatched, order: OrderState['status']) => void;
    readonly now: () => number;
  }): RecordShipment =>
  async (shipment, metadata) => {
    const { orderId, shipmentId } = shipment;
    await deps.advance(orderId, metadata);
    const outcome = await deps.orders.execute({
      streamId: streamOf(orderId),
      commandId: deriveId('record-shipped', orderId, shipmentId),
      decide: (state) => recordShipped(state, { ...shipment, nowMs: deps.now() }),
      metadata,
    });
    switch (outcome.kind) {
      case 'accepted':
        if (!isShippedBy(outcome.state, shipmentId)) deps.unmatched(shipment, outcome.state.status);
        return done;
      case 'duplicate':
      case 'unchanged':
        return done;
      case 'refused':
        return notYet(`the order is ${outcome.state.status}, a shipment cannot be recorded yet`);
      case 'conflict':
      case 'unavailable':
      case 'unknown':
        return notYet(`the log did not confirm the shipment: ${outcome.kind}`);
      case 'rejected':
        throw new Error(`the log refuses the shipment: ${outcome.reason}`);
    }
  };

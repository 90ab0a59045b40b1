import { deriveId, type CommandMetadata } from '@parley/event-log';
import { recordShipped } from '../core/decide.ts';
import { streamOf, type Advance, type Orders } from './advance.ts';

export interface Dispatched {
  readonly orderId: string;
  readonly shipmentId: string;
  readonly carrier: string;
  readonly trackingNumber: string;
}

export type RecordShipment = (shipment: Dispatched, metadata: CommandMetadata) => Promise<void>;

/**
 * Marks the order as shipped. A shipment can arrive before the order knows that it is paid (a crash between payment
 * and OrderPaid): the order is brought up to date first. Rejects when that is not possible yet, to be called again.
 */
export const createRecordShipment =
  (deps: {
    readonly orders: Orders;
    readonly advance: Advance;
    readonly now: () => number;
  }): RecordShipment =>
  async ({ orderId, ...shipment }, metadata) => {
    await deps.advance(orderId, metadata);
    const outcome = await deps.orders.execute({
      streamId: streamOf(orderId),
      commandId: deriveId('record-shipped', orderId),
      decide: (state) => recordShipped(state, { ...shipment, nowMs: deps.now() }),
      metadata,
    });
    switch (outcome.kind) {
      case 'accepted':
      case 'duplicate':
      case 'unchanged':
        return;
      case 'refused':
        throw new Error(`the order is ${outcome.state.status}, a shipment cannot be recorded`);
      case 'conflict':
      case 'rejected':
      case 'unavailable':
      case 'unknown':
        throw new Error(`the log did not confirm the shipment: ${outcome.kind}`);
    }
  };

import type { ShippingEvent } from '@parley/contracts/events';
import { shippingEvents } from '@parley/contracts/topics';
import type { ReactionDefinition } from '@parley/event-log';
import { currentContext, runInContext } from '@parley/service';
import type { RecordShipment } from '../../application/record-shipment.ts';

/** Dispatched shipments, each at least once; the offset is committed after the order says SHIPPED. */
export const onShipment = (record: RecordShipment): ReactionDefinition<ShippingEvent> => ({
  group: 'parley.order.on-shipment',
  topic: shippingEvents,
  types: ['ShipmentDispatched'],
  handle: ({ event, eventId, correlationId }, { signal }) => {
    const { orderId, shipmentId, carrier, trackingNumber } = event.data;
    return runInContext({ correlationId, signal }, () =>
      record(
        { orderId, shipmentId, carrier, trackingNumber },
        { correlationId: currentContext().correlationId, causationId: eventId },
      ),
    );
  },
});

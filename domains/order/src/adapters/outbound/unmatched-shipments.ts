import type { Logger } from '@parley/service';
import type { createRecordShipment } from '../../application/record-shipment.ts';

/** Tells operators of a shipment that no order can be shipped by. */
export const tellUnmatched =
  (logger: Pick<Logger, 'error'>): Parameters<typeof createRecordShipment>[0]['unmatched'] =>
  ({ orderId, shipmentId }, status) => {
    logger.error({ orderId, shipmentId, status }, 'a shipment matches no order that can be shipped');
  };

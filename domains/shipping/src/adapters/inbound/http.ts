import type { ErrorCode } from '@parley/contracts/errors';
import { timestampOf } from '@parley/contracts/limits';
import { OrderId, type ShipmentResource } from '@parley/contracts/rest';
import type { View } from '@parley/event-log';
import type { ShipmentRow } from '@parley/projection-shipments';
import { type Service } from '@parley/service';
import { z } from 'zod';

const Params = z.object({ orderId: OrderId });

/** A shipment as the read model has it. */
export const resourceOfRow = (row: ShipmentRow): ShipmentResource => ({
  shipmentId: row.shipmentId,
  orderId: row.orderId,
  customerId: row.customerId,
  status: row.status,
  tracking: { carrier: row.carrier, trackingNumber: row.trackingNumber },
  createdAt: timestampOf(row.dispatchedAtMs),
});

/** Mounts the REST edge. */
export const mountHttp = (
  service: Service<ErrorCode>,
  deps: { readonly shipments: Pick<View<ShipmentRow>, 'get'> },
): void => {
  service.http.get('/api/v1/shipments/:orderId', service.user, service.param(Params), (c) => {
    const row = deps.shipments.get(c.req.valid('param').orderId);
    // Another customer's shipment is not told apart from none.
    return row?.customerId === c.get('userId')
      ? c.json(resourceOfRow(row))
      : service.problem(c, 'SHIPMENT_NOT_FOUND');
  });
};

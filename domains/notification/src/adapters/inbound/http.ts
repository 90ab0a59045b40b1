import type { ErrorCode } from '@parley/contracts/errors';
import { timestampOf } from '@parley/contracts/limits';
import { OrderId, type NotificationList } from '@parley/contracts/rest';
import type { View } from '@parley/event-log';
import type { NotificationsRow } from '@parley/projection-notifications';
import { type Service } from '@parley/service';
import { z } from 'zod';

const Params = z.object({ orderId: OrderId });

/** Every notification about one order, oldest first. */
export const listOfRow = ({ orderId, customerId, notifications }: NotificationsRow): NotificationList => ({
  items: notifications.map(({ notificationId, type, channel, status, message, sentAtMs }) => ({
    notificationId,
    orderId,
    customerId,
    type,
    channel,
    status,
    message,
    createdAt: timestampOf(sentAtMs),
  })),
});

/** Mounts the REST edge. */
export const mountHttp = (
  service: Service<ErrorCode>,
  deps: { readonly notifications: Pick<View<NotificationsRow>, 'get'> },
): void => {
  service.http.get('/api/v1/notifications/:orderId', service.user, service.param(Params), (c) => {
    const row = deps.notifications.get(c.req.valid('param').orderId);
    // Another customer's notifications are not told apart from none.
    return row?.customerId === c.get('userId')
      ? c.json(listOfRow(row))
      : service.problem(c, 'NOTIFICATION_NOT_FOUND');
  });
};

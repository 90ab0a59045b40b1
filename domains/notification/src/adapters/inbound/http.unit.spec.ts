import { errorCatalog } from '@parley/contracts/errors';
import { NotificationList, Problem } from '@parley/contracts/rest';
import type { NotificationsRow } from '@parley/projection-notifications';
import { testService } from '@parley/service/testing';
import { describe, expect, it } from 'vitest';
import { mountHttp } from './http.ts';

const orderId = '00000000-0000-4000-8000-000000000001';
const row: NotificationsRow = {
  orderId,
  customerId: 'alice',
  notifications: [
    {
      notificationId: '00000000-0000-4000-8000-0000000000bb',
      paymentId: '00000000-0000-4000-8000-0000000000aa',
      type: 'PAYMENT_COMPLETED',
      channel: 'EMAIL',
      status: 'SENT',
      message: 'Paid.',
      sentAtMs: 1_000,
    },
  ],
};

const get = (id: string, headers: Record<string, string>) => {
  const service = testService({
    name: 'notification',
    errors: errorCatalog,
  });
  mountHttp(service, { notifications: { get: (key) => (key === orderId ? row : undefined) } });
  return service.http.request(`/api/v1/notifications/${id}`, { headers });
};

describe('GET /api/v1/notifications/:orderId', () => {
  it('answers what the contract says, to the customer of the order', async () => {
    const answer = await get(orderId, { 'x-user-id': 'alice' });
    expect(answer.status).toBe(200);
    expect(NotificationList.parse(await answer.json())).toMatchObject({
      items: [{ orderId, type: 'PAYMENT_COMPLETED', status: 'SENT', message: 'Paid.' }],
    });
  });

  it.each([
    ["another customer's", orderId, { 'x-user-id': 'bob' }],
    ['an order without any', '00000000-0000-4000-8000-000000000009', { 'x-user-id': 'alice' }],
  ])('answers 404 for %s', async (_case, id, headers) => {
    const answer = await get(id, headers);
    expect(Problem.parse(await answer.json())).toMatchObject({ status: 404, code: 'NOTIFICATION_NOT_FOUND' });
  });

  it('refuses what is not an order id', async () => {
    const answer = await get('x', { 'x-user-id': 'alice' });
    expect(Problem.parse(await answer.json())).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
  });

  it('answers 401 to a request without a user', async () => {
    const answer = await get(orderId, {});
    expect(Problem.parse(await answer.json())).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
  });
});

import { errorCatalog } from '@parley/contracts/errors';
import { ShipmentResource, Problem } from '@parley/contracts/rest';
import type { ShipmentRow } from '@parley/projection-shipments';
import { testService } from '@parley/service/testing';
import { describe, expect, it } from 'vitest';
import { mountHttp } from './http.ts';

const orderId = '00000000-0000-4000-8000-000000000001';
const row: ShipmentRow = {
  orderId,
  customerId: 'alice',
  shipmentId: '00000000-0000-4000-8000-0000000000dd',
  status: 'DISPATCHED',
  carrier: 'Parley Post',
  trackingNumber: 'PP8F0123456789ABCD',
  dispatchedAtMs: 1_000,
};

const get = (id: string, headers: Record<string, string>) => {
  const service = testService({
    name: 'shipping',
    errors: errorCatalog,
  });
  mountHttp(service, { shipments: { get: (key) => (key === orderId ? row : undefined) } });
  return service.http.request(`/api/v1/shipments/${id}`, { headers });
};

describe('GET /api/v1/shipments/:orderId', () => {
  it('answers what the contract says, to the customer of the order', async () => {
    const answer = await get(orderId, { 'x-user-id': 'alice' });
    expect(answer.status).toBe(200);
    expect(ShipmentResource.parse(await answer.json())).toMatchObject({
      orderId,
      status: 'DISPATCHED',
      tracking: { trackingNumber: 'PP8F0123456789ABCD' },
    });
  });

  it.each([
    ["another customer's", orderId, { 'x-user-id': 'bob' }],
    ['an order without any', '00000000-0000-4000-8000-000000000009', { 'x-user-id': 'alice' }],
  ])('answers 404 for %s', async (_case, id, headers) => {
    const answer = await get(id, headers);
    expect(Problem.parse(await answer.json())).toMatchObject({ status: 404, code: 'SHIPMENT_NOT_FOUND' });
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

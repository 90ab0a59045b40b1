import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endpointsOf } from '../stack/addresses.ts';
import { runFlow } from './flow.ts';

const orderId = '0b9f4e0e-6d7c-4b0e-9a55-3f9f2f6f0a01';
const now = '2026-01-01T00:00:00.000Z';
const amount = { amountMinor: 500, currency: 'EUR' };
const common = { orderId, customerId: 'alice', createdAt: now };
const order = { ...common, productId: 'lamp', quantity: 1, updatedAt: now, amount, status: 'PAID' };

describe('the flow command against a gateway', () => {
  let server: Server;
  let orderStatus: string;
  beforeEach(async () => {
    orderStatus = 'SHIPPED';
    const looks = new Map<string, number>();
    const answer = (method: string, path: string): unknown => {
      if (path.startsWith('/api/v1/products'))
        return {
          items: [{ productId: 'lamp', name: 'l', description: 'd', category: 'c', price: amount, stock: 3 }],
        };
      if (method === 'POST') return order;
      const look = (looks.get(path) ?? 0) + 1;
      looks.set(path, look);
      if (look < 3) return undefined; // everything takes a while
      if (path.includes('/payments/'))
        return { ...common, paymentId: orderId, amount, status: 'COMPLETED', updatedAt: now };
      if (path.includes('/notifications/'))
        return {
          items: [
            {
              ...common,
              notificationId: orderId,
              type: 'PAYMENT_COMPLETED',
              channel: 'EMAIL',
              status: 'SENT',
              message: 'm',
            },
          ],
        };
      if (path.includes('/shipments/'))
        return {
          ...common,
          shipmentId: orderId,
          status: 'DISPATCHED',
          tracking: { carrier: 'c', trackingNumber: 't' },
        };
      return { ...order, status: orderStatus };
    };
    server = createServer((request, response) => {
      const body = answer(request.method ?? '', request.url ?? '');
      response.writeHead(body === undefined ? 404 : request.method === 'POST' ? 201 : 200);
      response.end(JSON.stringify(body ?? {}));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const run = (said: string[]) => {
    const { port } = server.address() as AddressInfo;
    const gateway = { url: `http://127.0.0.1:${port}`, admin: `http://127.0.0.1:${port}` };
    const endpoints = { ...endpointsOf({ portBase: 4000 }), gateway };
    return runFlow({ endpoints, token: 'token', seen: (step) => said.push(step.what) });
  };

  it('tells every step of the order until it is shipped, and where its trace is', async () => {
    const said: string[] = [];
    const result = await run(said);
    expect(said.toSorted()).toEqual(
      [
        'notification SENT',
        'order PAID (201)',
        'order SHIPPED',
        'payment COMPLETED',
        'product lamp chosen',
        'shipment DISPATCHED',
        'stock held',
      ].toSorted(),
    );
    expect(result.traceUrl).toBe(`http://127.0.0.1:4194/zipkin/traces/${result.traceId}`);
  });

  it('fails with the reason when the order is cancelled', async () => {
    orderStatus = 'CANCELLED';
    await expect(run([])).rejects.toMatchObject({ exitCode: 1 });
  });
});

import { errorCatalog } from '@parley/contracts/errors';
import { OrderResource, Problem } from '@parley/contracts/rest';
import type { OrderRow } from '@parley/projection-orders';
import { testService } from '@parley/service/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { limits } from '../../config.ts';
import { mountOrderEvents } from './order-events.ts';

const { silenceMsMax, streamMsMax, streamsOfCustomerMax } = limits.streams;

const orderId = '0190f5fe-7c00-7a00-8abc-012345678901';
const path = `/api/v1/orders/${orderId}/events`;
const created: OrderRow = {
  orderId,
  customerId: 'alice',
  productId: 'cup',
  quantity: 2,
  channel: 'WEB',
  status: 'CREATED',
  createdAtMs: 1_000,
  updatedAtMs: 1_000,
  dispatchByMs: 9_000,
};
const shipped: OrderRow = { ...created, status: 'SHIPPED', updatedAtMs: 4_000 };

const edge = () => {
  const rows = new Map([[orderId, created]]);
  const service = testService({
    name: 'order',
    errors: errorCatalog,
    logDestination: { write: () => undefined },
  });
  mountOrderEvents(service, { get: (id) => rows.get(id) }, limits.streams);
  const ask = async (headers: Record<string, string> = {}, method = 'GET') =>
    service.http.request(path, { method, headers: { 'x-user-id': 'alice', ...headers } });
  return { rows, stop: () => service.stop(), ask };
};

/** What has come of a stream so far, as text. */
const reading = (response: Response) => {
  const reader = (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream()).getReader();
  const read = { text: '', ended: false };
  const pump = async (): Promise<void> => {
    for (;;) {
      const { value = '', done } = await reader.read();
      read.text += value;
      if (done) break;
    }
    read.ended = true;
  };
  void pump();
  return { read, cancel: () => reader.cancel() };
};
const ordersIn = (text: string): OrderResource[] =>
  [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => OrderResource.parse(JSON.parse(data)));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the events of an order', () => {
  it('are the order at once, again when it has changed, and no more once it is SHIPPED', async () => {
    const { rows, ask } = edge();
    const response = await ask();
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    const { read } = reading(response);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(ordersIn(read.text).map(({ status }) => status)).toEqual(['CREATED']);
    rows.set(orderId, shipped);
    await vi.advanceTimersByTimeAsync(200);
    expect(ordersIn(read.text).map(({ status }) => status)).toEqual(['CREATED', 'SHIPPED']);
    expect(read.text).toContain('event: order\n');
    expect(read.ended).toBe(true);
  });

  it('end with a 204 for one who has seen the last', async () => {
    const { rows, ask } = edge();
    rows.set(orderId, shipped);
    expect((await ask({ 'last-event-id': 'SHIPPED' })).status).toBe(204);
    expect((await ask({ 'last-event-id': 'PAID' })).status).toBe(200);
  });

  it('of another customer are not told apart from none', async () => {
    const response = await edge().ask({ 'x-user-id': 'mallory' });
    expect(Problem.parse(await response.json()).code).toBe('ORDER_NOT_FOUND');
  });

  it('are never silent for long, and end after a while', async () => {
    const { ask } = edge();
    const { read } = reading(await ask());
    await vi.advanceTimersByTimeAsync(silenceMsMax + 200);
    expect(read.text).toMatch(/^: .+$/m);
    await vi.advanceTimersByTimeAsync(streamMsMax);
    expect(read.ended).toBe(true);
  });

  it('end when the service stops', async () => {
    const { ask, stop } = edge();
    const { read } = reading(await ask());
    void stop();
    await vi.advanceTimersByTimeAsync(200);
    expect(read.ended).toBe(true);
    const refused = await ask();
    expect(refused.status).toBe(503);
    expect(Problem.parse(await refused.json()).code).toBe('NOT_READY');
  });

  it('are not opened by HEAD, which would hold a place for good', async () => {
    const { ask } = edge();
    for (let n = 0; n <= streamsOfCustomerMax; n += 1) {
      const answer = await ask({}, 'HEAD');
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toBe('text/event-stream');
    }
    expect((await ask()).status).toBe(200);
  });

  it('are open only so often for one customer, and a stream that its client leaves frees its place', async () => {
    const { ask } = edge();
    const streams = [];
    for (let n = 0; n < streamsOfCustomerMax; n += 1) streams.push(reading(await ask()));
    const refused = await ask();
    expect(Problem.parse(await refused.json()).code).toBe('OVERLOADED');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    await streams[0]?.cancel();
    await vi.advanceTimersByTimeAsync(200);
    expect((await ask()).status).toBe(200);
  });
});

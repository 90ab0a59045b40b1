/** The whole way of a request while payment is away: real HTTP on both sides, the log in memory. */
import { setTimeout as pause } from 'node:timers/promises';
import { errorCatalog, type ErrorCode } from '@parley/contracts/errors';
import { OrderResource, PaymentRequest, type PaymentResource } from '@parley/contracts/rest';
import { createPolicy, httpInstances, type Service, staticResolve } from '@parley/service';
import { testService } from '@parley/service/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { createWorld, metadata } from '../../../testing/world.ts';
import { policyDefaults } from '../../config.ts';
import { restPayments } from '../outbound/payment.ts';
import { mountHttp } from './http.ts';

const paymentId = '00000000-0000-4000-8000-0000000000aa';
const REQUESTS = 20;

const stopping: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stopping.splice(0).reverse()) await stop();
});

const listen = async (
  name: string,
  mount: (service: Service<ErrorCode>) => void,
  httpDeadlineMs?: number,
): Promise<string> => {
  const service = testService({
    name,
    errors: errorCatalog,
    ...(httpDeadlineMs === undefined ? {} : { httpDeadlineMs }),
  });
  stopping.push(() => service.stop());
  mount(service);
  await service.run(() => undefined);
  return `http://127.0.0.1:${service.ports.http ?? 0}`;
};

const completed = ({ orderId, customerId, amount }: PaymentRequest): PaymentResource => ({
  paymentId,
  orderId,
  customerId,
  amount,
  status: 'COMPLETED',
  createdAt: '2026-01-01T00:00:00.000Z',
  updatedAt: '2026-01-01T00:00:00.000Z',
});

/** An order service and a payment service, each behind a socket of its own. */
const setUp = async (
  mode: 'failing' | 'silent',
  options: {
    readonly httpDeadlineMs?: number;
    readonly timeoutMs?: number;
    readonly halfOpenAfterMs?: number;
  } = {},
) => {
  const peer: { mode: 'failing' | 'silent' | 'well'; asked: number } = { mode, asked: 0 };
  const payment = await listen('payment', (service) => {
    service.http.post('/api/v1/payments', service.body(PaymentRequest), async (c) => {
      peer.asked += 1;
      if (peer.mode === 'failing') return service.problem(c, 'INTERNAL');
      if (peer.mode === 'silent') await pause(60_000, undefined, { ref: false });
      return c.json(completed(c.req.valid('json')), 201);
    });
  });
  const payments = restPayments(
    staticResolve(httpInstances('payment', [payment])),
    createPolicy({
      name: 'payment',
      ...policyDefaults.payment,
      timeoutMs: options.timeoutMs ?? 2_000,
      breakerWaitMs: options.halfOpenAfterMs ?? 2_000,
    }),
  );
  const world = createWorld({ payments });
  stopping.push(() => world[Symbol.asyncDispose]());
  const instance = await world.open();
  const order = await listen(
    'order',
    (service) => {
      const edge = { orders: instance.view, positionOf: () => undefined, retryAfterSeconds: 1 };
      mountHttp(service, { ...instance, ...edge });
    },
    options.httpDeadlineMs,
  );
  const place = async (key: string) => {
    const startedAtMs = performance.now();
    const answer = await fetch(`${order}/api/v1/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-user-id': 'alice', 'idempotency-key': key },
      body: JSON.stringify({ productId: 'cup', quantity: 1 }),
    });
    const body: unknown = await answer.json();
    return { status: answer.status, body, tookMs: performance.now() - startedAtMs };
  };
  return { world, instance, peer, place };
};

const waiting = { status: 'PAYMENT_PENDING', notice: 'payment queued for retry' };

describe('an order while payment is away', { timeout: 60_000 }, () => {
  it('is answered 202 PAYMENT_PENDING without asking payment while the breaker is open, and shipped in the end', async () => {
    const { world, instance, peer, place } = await setUp('failing', { halfOpenAfterMs: 5_000 });
    for (let n = 0; peer.asked < 5; n += 1) await place(`opens-${n}`);
    const askedToOpen = peer.asked;
    const answers = [];
    for (let n = 0; n < REQUESTS; n += 1) answers.push(await place(`open-${n}`));
    expect(peer.asked).toBe(askedToOpen);
    for (const { status, body } of answers) {
      expect(status).toBe(202);
      expect(OrderResource.parse(body)).toMatchObject(waiting);
    }
    const tookMs = answers.map((answer) => answer.tookMs).sort((a, b) => a - b);
    process.stdout.write(
      `breaker open: ${REQUESTS} orders answered 202, p50 ${tookMs[REQUESTS / 2]?.toFixed(1) ?? ''} ms, max ${tookMs.at(-1)?.toFixed(1) ?? ''} ms\n`,
    );

    peer.mode = 'well';
    world.clock.ms += 10_000; // none is left to its request any more
    const ids = answers.map(({ body }) => OrderResource.parse(body).orderId);
    const statuses = (): readonly unknown[] => ids.map((id) => instance.view.get(id)?.status);
    await expect
      .poll(async () => [await instance.sweep(), statuses()].at(1), { timeout: 40_000, interval: 100 })
      .toEqual(ids.map(() => 'PAID'));
    for (const orderId of ids) {
      const shipment = { orderId, shipmentId: orderId, carrier: 'c', trackingNumber: 't' };
      await instance.recordShipment(shipment, metadata);
    }
    expect(statuses()).toEqual(ids.map(() => 'SHIPPED'));
  });

  it('is answered 202 before the deadline of the request, also when the calls for it may take longer', async () => {
    // Three attempts of 1.2 s and the pauses between them against a deadline of 3 s.
    const { peer, place, instance } = await setUp('silent', { httpDeadlineMs: 3_000, timeoutMs: 1_200 });
    const { status, body } = await place('slow');
    expect(status).toBe(202);
    expect(OrderResource.parse(body)).toMatchObject(waiting);
    expect(peer.asked).toBeGreaterThan(1);
    expect(instance.view.size).toBe(1);
  });

  it('that another run is at work on is answered before the deadline of the request, too', async () => {
    const { place, instance, world, peer } = await setUp('silent', {
      httpDeadlineMs: 2_000,
      timeoutMs: 6_000,
    });
    const first = await place('shared');
    await instance.advance(OrderResource.parse(first.body).orderId, metadata); // the run of the request is over
    world.clock.ms += 10_000;
    const asked = peer.asked;
    void instance.sweep(); // has no deadline, and waits for payment longer than the request can
    await expect.poll(() => peer.asked, { timeout: 10_000 }).toBe(asked + 1);
    expect(await place('shared')).toMatchObject({ status: 202, body: waiting });
    expect(peer.asked).toBe(asked + 1);
  });
});

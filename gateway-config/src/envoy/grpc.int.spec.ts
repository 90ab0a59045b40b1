import {
  connect,
  constants,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectProblem, startTestGateway, type TestGateway } from '../../testing/test-gateway.ts';
import { mintToken } from '../dev-keys.ts';
import { gatewayPolicy } from '../policy/policy.ts';

const getProduct = '/parley.product.v1.ProductService/GetProduct';
const checkInventory = '/parley.product.v1.ProductService/CheckInventory';
/** The one route whose time is short. */
const impatient = '/parley.product.v1.ProductService/Impatient';
const requests = 20;
const windowSeconds = 600;
const [routeTimeoutMs, impatientMs] = [20_000, 700];
/** A frame of one empty message. */
const emptyMessage = Buffer.alloc(5);

/** What the service was asked last; it never answers to a user of this name. */
let asked: IncomingHttpHeaders = {};
const silentTo = 'nobody-answers';
const answer = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
  asked = headers;
  stream.on('error', () => undefined); // the gateway gave up
  stream.resume();
  if (headers['x-user-id'] === silentTo) return;
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => {
    stream.sendTrailers({ 'grpc-status': '5', 'parley-code': 'PRODUCT_NOT_FOUND' });
  });
  stream.end(emptyMessage);
};

let gateway: TestGateway;
const service = createServer().on('stream', answer);
beforeAll(async () => {
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  const { port } = service.address() as AddressInfo; // listening on TCP
  const routes = gatewayPolicy.routes.flatMap((route) => {
    if (route.upstream !== 'product-grpc') return [route];
    const path = { kind: 'exact', paths: [impatient] } as const;
    return [
      { ...route, timeoutMs: routeTimeoutMs },
      { ...route, name: 'impatient', path, timeoutMs: impatientMs },
    ];
  });
  gateway = await startTestGateway({
    policy: {
      ...gatewayPolicy,
      routes,
      limits: { ...gatewayPolicy.limits, client: { requests, windowSeconds } },
    },
    upstreams: { 'product-grpc': { host: '127.0.0.1', port } },
  });
});
afterAll(async () => {
  await gateway.stop();
  service.close();
});

interface Reply {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  /** True: status and headers in one, with no body behind them. */
  readonly trailersOnly: boolean;
  readonly latencyMs: number;
}

const authorizationOf = async (sub: string): Promise<{ authorization: string }> => ({
  authorization: `Bearer ${await mintToken({ privateKeyPath: gateway.keys.privateKeyPath, sub, ttlSeconds: 3600 })}`,
});

/** One call of one empty message. */
const call = async (path: string, more: Record<string, string> = {}): Promise<Reply> => {
  const session = connect(gateway.url.origin);
  const startedAt = performance.now();
  try {
    return await new Promise<Reply>((resolve, reject) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...more,
      });
      let [headers, trailers]: [IncomingHttpHeaders, IncomingHttpHeaders] = [{}, {}];
      let trailersOnly = false;
      session.on('error', reject);
      stream
        .on('response', (received, flags: number) => {
          headers = received;
          trailersOnly = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
        })
        .on('trailers', (received: IncomingHttpHeaders) => (trailers = received))
        .on('error', reject)
        .on('close', () => {
          resolve({ headers, trailers, trailersOnly, latencyMs: performance.now() - startedAt });
        })
        .resume()
        .end(emptyMessage);
    });
  } finally {
    session.destroy();
  }
};

const expectRefused = (reply: Reply, status: number, code: string): void => {
  expect(reply.headers).toMatchObject({
    ':status': 200,
    'content-type': 'application/grpc',
    'grpc-status': String(status),
    'parley-code': code,
  });
  expect(reply.trailersOnly).toBe(true);
  expect(reply.headers['x-correlation-id']).toMatch(/^[\w.-]{1,64}$/);
};

describe('a gRPC call', () => {
  it.each([getProduct, checkInventory])(
    'of %s reaches the service as its user, and its trailers come back',
    async (path) => {
      const reply = await call(path, {
        ...(await authorizationOf('alice')),
        'x-user-id': 'mallory',
        'grpc-timeout': '1M',
      });
      // The service is told how long the gateway will wait for it.
      expect(asked).toMatchObject({
        ':path': path,
        'x-user-id': 'alice',
        'grpc-timeout': `${routeTimeoutMs}m`,
      });
      expect(asked.authorization).toBeUndefined();
      expect(reply.headers).toMatchObject({ ':status': 200, 'content-type': 'application/grpc' });
      expect(reply.headers['grpc-status']).toBeUndefined();
      expect(reply.trailers).toMatchObject({ 'grpc-status': '5', 'parley-code': 'PRODUCT_NOT_FOUND' });
    },
  );

  it('without a valid token is UNAUTHENTICATED, in trailers only', async () => {
    expectRefused(await call(getProduct), 16, 'UNAUTHENTICATED');
    expectRefused(await call(getProduct, { authorization: 'Bearer rubbish' }), 16, 'UNAUTHENTICATED');
  });

  it.each(['ReserveStock', 'ReleaseStock', 'Unknown'])(
    'of %s leads nowhere: UNIMPLEMENTED',
    async (method) => {
      const path = `/parley.product.v1.ProductService/${method}`;
      expectRefused(await call(path, await authorizationOf('alice')), 12, 'ROUTE_NOT_FOUND');
    },
  );

  it('above the limit is RESOURCE_EXHAUSTED, and counts with the client’s other requests', async () => {
    const authorization = await authorizationOf('greedy');
    const orders = Array.from({ length: requests }, () =>
      gateway.ask('/api/v1/orders', { headers: authorization }),
    );
    for (const response of await Promise.all(orders)) await response.arrayBuffer();
    const reply = await call(getProduct, authorization);
    expectRefused(reply, 8, 'RATE_LIMITED');
    const retryAfterSeconds = Number(reply.headers['retry-after']);
    expect(retryAfterSeconds).toBeGreaterThan(0);
    expect(retryAfterSeconds).toBeLessThanOrEqual(windowSeconds);
  });

  it('that its service does not answer is DEADLINE_EXCEEDED when its own time is over, or else its route’s', async () => {
    const authorization = await authorizationOf(silentTo);
    const own = await call(getProduct, { ...authorization, 'grpc-timeout': '200m' });
    expectRefused(own, 4, 'DEADLINE_EXCEEDED');
    expect(own.latencyMs).toBeLessThan(routeTimeoutMs / 2);
    for (const timeout of [{ 'grpc-timeout': '1H' }, {}]) {
      const routes = await call(impatient, { ...authorization, ...timeout });
      expectRefused(routes, 4, 'DEADLINE_EXCEEDED');
      // Envoy counts from when it began to look at what had arrived, which is earlier on a busy machine.
      expect(routes.latencyMs).toBeGreaterThan(impatientMs / 2);
      expect(routes.latencyMs).toBeLessThan(gatewayPolicy.connections.streamIdleTimeoutMs / 2);
    }
  });

  it('is a call only if it says so: any other request to its path leads nowhere', async () => {
    const init = { method: 'POST', body: '{}', ...gateway.asAlice({ 'content-type': 'application/json' }) };
    await expectProblem(await gateway.ask(getProduct, init), 'ROUTE_NOT_FOUND');
    await expectProblem(await gateway.ask(getProduct, gateway.asAlice()), 'ROUTE_NOT_FOUND');
  });
});

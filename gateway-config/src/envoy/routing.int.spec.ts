import { connect } from 'node:net';
import { correlationIdPattern } from '@parley/contracts/headers';
import { Problem } from '@parley/contracts/rest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { echoOf, expectProblem, startTestGateway, type TestGateway } from '../../testing/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.stop());

const orderId = '0190f5fe-7c00-7a00-8abc-012345678901';

describe('routing', () => {
  it.each([
    ['/api/v1/orders', 'order'],
    [`/api/v1/orders/${orderId}`, 'order'],
    ['/api/v1/products?limit=3', 'product'],
    ['/api/v1/products/tea-1', 'product'],
    ['/graphql', 'product'],
    [`/api/v1/payments/${orderId}`, 'payment'],
    [`/api/v1/notifications/${orderId}`, 'notification'],
  ])('GET %s reaches %s unchanged', async (path, service) => {
    const seen = await echoOf(await gateway.ask(path, gateway.asAlice()));
    expect(seen).toMatchObject({ service, method: 'GET', url: path });
  });

  it.each([
    ['says nothing', {}, '/api/v1/orders', '15000'],
    ['says nothing to a read', {}, '/api/v1/products', '5000'],
    ['says less', { 'x-parley-timeout-ms': '1200' }, '/api/v1/orders', '1200'],
    ['has no time at all', { 'x-parley-timeout-ms': '0' }, '/api/v1/orders', '0'],
    ['says more', { 'x-parley-timeout-ms': '999999999' }, '/api/v1/orders', '15000'],
    ['says more digits than a number has', { 'x-parley-timeout-ms': '9999999999' }, '/graphql', '5000'],
    ['says what is no number', { 'x-parley-timeout-ms': '-1' }, '/api/v1/orders', '15000'],
    ['says two things', { 'x-parley-timeout-ms': '100, 200' }, '/api/v1/orders', '15000'],
  ])(
    'a service is told how long the client waits, who %s: %j at %s is %s',
    async (_says, said, path, told) => {
      const seen = await echoOf(await gateway.ask(path, gateway.asAlice(said)));
      expect(seen.headers['x-parley-timeout-ms']).toBe(told);
    },
  );

  it('a payment cannot be made from outside', async () => {
    const body = { method: 'POST', body: '{}', ...gateway.asAlice({ 'content-type': 'application/json' }) };
    await expectProblem(await gateway.ask('/api/v1/payments', body), 'ROUTE_NOT_FOUND');
    const onItem = await gateway.ask(`/api/v1/payments/${orderId}`, body);
    await expectProblem(onItem, 'METHOD_NOT_ALLOWED');
    expect(onItem.headers.get('allow')).toBe('GET, HEAD');
  });

  it.each(['/api/v1/orders', `/api/v1/orders/${orderId}`, '/api/v1/products', `/api/v1/payments/${orderId}`])(
    'HEAD %s is answered as GET is, without the body',
    async (path) => {
      const get = await gateway.ask(path, gateway.asAlice());
      const head = await gateway.ask(path, { method: 'HEAD', ...gateway.asAlice() });
      expect([head.status, head.headers.get('content-type')]).toEqual([
        get.status,
        get.headers.get('content-type'),
      ]);
      expect(await head.text()).toBe('');
    },
  );

  it.each([
    '/',
    '/api/v1',
    '/api/v1/ordersx',
    '/livez',
    '/api/v1/payments/',
    `/api/v1/payments/${orderId}/x`,
  ])('%s is nowhere', async (path) => {
    await expectProblem(await gateway.ask(path, gateway.asAlice()), 'ROUTE_NOT_FOUND');
  });

  it('a path that hides its slashes is refused, not routed', async () => {
    await expectProblem(await gateway.ask('/api/v1/products%2f..%2forders'), 'MALFORMED_REQUEST');
  });

  it.each([
    ['a request without a host', 'GET /api/v1/products HTTP/1.1\r\n\r\n'],
    ['what is not HTTP', 'GET nowhere\r\n\r\n'],
    ['a transfer encoding that nobody has', 'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: y\r\n\r\n'],
  ])('%s is MALFORMED_REQUEST, with a correlation id all the same', async (_what, sent) => {
    const raw = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(gateway.url.port), gateway.url.hostname, () => socket.write(sent));
      let text = '';
      socket
        .setEncoding('utf8')
        .on('data', (chunk: string) => {
          text += chunk;
          if (text.includes('}')) socket.end();
        })
        .on('close', () => {
          resolve(text);
        })
        .on('error', reject);
    });
    expect(raw).toMatch(/^HTTP\/1\.1 400 /);
    const problem = Problem.parse(JSON.parse(raw.slice(raw.indexOf('{'), raw.lastIndexOf('}') + 1)));
    expect(problem.code).toBe('MALFORMED_REQUEST');
    expect(problem.correlationId).toMatch(correlationIdPattern);
  });

  it('a body of 64 KiB passes, one byte more is PAYLOAD_TOO_LARGE', async () => {
    const post = (bytes: number) => gateway.ask('/graphql', { method: 'POST', body: 'x'.repeat(bytes) });
    expect((await echoOf(await post(64 * 1024))).method).toBe('POST');
    await expectProblem(await post(64 * 1024 + 1), 'PAYLOAD_TOO_LARGE');
  });

  it('a service that cannot be reached is BACKEND_UNAVAILABLE, and when to come back is said', async () => {
    const response = await gateway.ask(`/api/v1/shipments/${orderId}`, gateway.asAlice());
    await expectProblem(response, 'BACKEND_UNAVAILABLE');
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectProblem, startTestGateway, type TestGateway } from '../../testing/test-gateway.ts';
import { gatewayPolicy } from '../policy/policy.ts';
import type { Address } from './endpoints.ts';

/** Of the routes whose services never answer, and of those whose failure shows at once. */
const [timeoutMs, longTimeoutMs] = [1_000, 20_000];
/** What a busy machine takes besides. */
const machineAllowanceMs = 5_000;
const hanging: readonly string[] = ['payment', 'product'];
const item = '0190f5fe-7c00-7a00-8abc-012345678901';

const servers: Server[] = [];
const sockets = new Set<Socket>();
/** A service that does this with each connection, once the request is there. */
const backend = async (misbehave: (socket: Socket) => void): Promise<Address> => {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket
      .on('error', () => undefined)
      .once('data', () => {
        misbehave(socket);
      });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
};

/** A header that goes on for ever, a little at a time. */
const trickle = (socket: Socket): void => {
  socket.write('HTTP/1.1 200 OK\r\nx-slow: ');
  const timer = setInterval(() => socket.write('.'), 50);
  socket.on('close', () => {
    clearInterval(timer);
  });
};

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({
    policy: {
      ...gatewayPolicy,
      routes: gatewayPolicy.routes.map((route) => ({
        ...route,
        timeoutMs: hanging.includes(route.upstream) ? timeoutMs : longTimeoutMs,
      })),
    },
    upstreams: {
      order: await backend((socket) => socket.end()),
      product: await backend(trickle),
      payment: await backend(() => undefined),
      notification: await backend((socket) => socket.resetAndDestroy()),
    },
  });
});
afterAll(async () => {
  await gateway.stop();
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

describe('a backend', () => {
  it.each([
    ['is down', `/api/v1/shipments/${item}`],
    ['resets the connection', `/api/v1/notifications/${item}`],
    ['closes it as the request arrives', '/api/v1/orders'],
  ])(
    'that %s is BACKEND_UNAVAILABLE at once, and the client is told when to come back',
    async (_what, path) => {
      const startedAt = performance.now();
      const response = await gateway.ask(path, gateway.asAlice());
      expect(performance.now() - startedAt).toBeLessThan(machineAllowanceMs);
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
      await expectProblem(response, 'BACKEND_UNAVAILABLE');
    },
  );

  it.each([
    ['hangs', `/api/v1/payments/${item}`],
    ['sends its headers for ever', '/api/v1/products'],
  ])('that %s is DEADLINE_EXCEEDED when the route’s time is over', async (_what, path) => {
    const startedAt = performance.now();
    const response = await gateway.ask(path, gateway.asAlice());
    const tookMs = performance.now() - startedAt;
    // Envoy counts from when it began to look at what had arrived, which is earlier on a busy machine.
    expect(tookMs).toBeGreaterThan(timeoutMs / 2);
    expect(tookMs).toBeLessThan(timeoutMs + machineAllowanceMs);
    await expectProblem(response, 'DEADLINE_EXCEEDED');
  });

  it('that fails takes nothing from another’s: each failure is its own route’s', async () => {
    const [late, refused] = await Promise.all([
      gateway.ask(`/api/v1/payments/${item}`, gateway.asAlice()),
      gateway.ask(`/api/v1/shipments/${item}`, gateway.asAlice()),
    ]);
    expect([late.status, refused.status]).toEqual([504, 503]);
  });
});

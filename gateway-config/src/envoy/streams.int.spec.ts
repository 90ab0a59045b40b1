import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectProblem, startTestGateway, type TestGateway } from '../../testing/test-gateway.ts';
import { gatewayPolicy } from '../policy/policy.ts';

const orderId = '0190f5fe-7c00-7a00-8abc-012345678901';
const events = `/api/v1/orders/${orderId}/events`;
const briefEvents = `/api/v1/orders/${orderId}/brief-events`;
/** Nothing may come for so long, and all of it lasts so long: on each route one of them is out of reach. */
const [silenceMs, streamMsMax] = [3_000, 60_000];
const [briefSilenceMs, briefStreamMsMax] = [20_000, 2_500];
const pauseMs = 300;

/** As many events as the query says, one each pause, or as many until its client leaves; none at all of 0, not even a head. */
const serve = (asked: IncomingMessage, response: ServerResponse): void => {
  const count = Number(new URL(asked.url ?? '/', 'http://service').searchParams.get('events') ?? '1');
  const stream = async (): Promise<void> => {
    if (count === 0) return;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let n = 1; n <= count && !response.destroyed; n += 1) {
      response.write(`data: ${n}\n\n`);
      await delay(pauseMs);
    }
    if (count > 1) response.end();
  };
  void stream();
};
/** Takes every upgrade and answers what it is sent. */
const upgrade = (asked: IncomingMessage, socket: Duplex): void => {
  socket.on('error', () => undefined);
  const user = String(asked.headers['x-user-id']);
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nx-seen: ${user}\r\n\r\n`,
  );
  socket.pipe(socket);
};

const service = createServer(serve).on('upgrade', upgrade);
let gateway: TestGateway;
beforeAll(async () => {
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  const order = { host: '127.0.0.1', port: (service.address() as AddressInfo).port }; // listening on TCP
  const routes = gatewayPolicy.routes.flatMap((route) => {
    if (route.streamMsMax === undefined) return [route];
    const path = { kind: 'item', under: '/api/v1/orders', then: 'brief-events' } as const;
    return [
      { ...route, timeoutMs: silenceMs, streamMsMax, webSocket: true as const },
      { ...route, name: 'brief-events', path, timeoutMs: briefSilenceMs, streamMsMax: briefStreamMsMax },
    ];
  });
  gateway = await startTestGateway({ policy: { ...gatewayPolicy, routes }, upstreams: { order } });
  await (await gateway.ask('/api/v1/products', gateway.asAlice())).arrayBuffer(); // the first answer takes longest
});
afterAll(async () => {
  await gateway.stop();
  service.closeAllConnections();
  service.close();
});

/** What comes of a stream until it ends or is cut, with the time of each piece since it was asked for. */
const read = async (path: string) => {
  const startedAt = performance.now();
  const response = await gateway.ask(path, gateway.asAlice());
  const pieces: { readonly text: string; readonly atMs: number }[] = [];
  const reader = (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return { pieces, cut: false, lastedMs: performance.now() - startedAt };
      pieces.push({ text: value, atMs: performance.now() - startedAt });
    }
  } catch {
    return { pieces, cut: true, lastedMs: performance.now() - startedAt };
  }
};

describe.concurrent('server-sent events', () => {
  it('pass one by one, for longer than nothing may come', async () => {
    const { pieces, cut, lastedMs } = await read(`${events}?events=12`);
    expect(pieces.map(({ text }) => text).join('')).toMatch(/^data: 1\n\n[^]*data: 12\n\n$/);
    expect(cut).toBe(false);
    expect(lastedMs).toBeGreaterThan(silenceMs);
    expect(lastedMs - (pieces[0]?.atMs ?? lastedMs)).toBeGreaterThan(silenceMs / 2);
  });

  it('end when nothing has come for too long', async () => {
    const { pieces, cut, lastedMs } = await read(`${events}?events=1`);
    expect(pieces.map(({ text }) => text)).toEqual(['data: 1\n\n']);
    expect(cut).toBe(true);
    expect(lastedMs).toBeGreaterThan(silenceMs / 2);
    expect(lastedMs).toBeLessThan(streamMsMax / 2);
  });

  it('end when they have lasted as long as they may', async () => {
    const { cut, lastedMs } = await read(`${briefEvents}?events=1000`);
    expect(cut).toBe(true);
    expect(lastedMs).toBeGreaterThan(briefStreamMsMax / 2);
    expect(lastedMs).toBeLessThan(briefSilenceMs);
  });

  it('that do not even begin are DEADLINE_EXCEEDED', async () => {
    await expectProblem(await gateway.ask(`${events}?events=0`, gateway.asAlice()), 'DEADLINE_EXCEEDED');
  });

  it('need a token, like the order itself, and are read only', async () => {
    await expectProblem(await gateway.ask(events), 'UNAUTHENTICATED');
    const post = await gateway.ask(events, { method: 'POST', ...gateway.asAlice() });
    expect(post.headers.get('allow')).toBe('GET, HEAD');
    await expectProblem(post, 'METHOD_NOT_ALLOWED');
  });
});

/** Asks for a WebSocket: the socket when there is one, else the status of the refusal. */
const openSocket = (
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; user?: string; socket?: Duplex }> =>
  new Promise((resolve, reject) => {
    request(`${gateway.url.origin}${path}`, {
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        ...headers,
      },
    })
      .on('upgrade', (response, socket) => {
        resolve({ status: response.statusCode ?? 0, user: String(response.headers['x-seen']), socket });
      })
      .on('response', (response) => {
        response.resume();
        resolve({ status: response.statusCode ?? 0 });
      })
      .on('error', reject)
      .end();
  });

describe.concurrent('a WebSocket', () => {
  it('opens on a route that allows it, as its user, carries bytes both ways and ends when it is silent', async () => {
    const { status, user, socket } = await openSocket(events, gateway.asAlice().headers);
    expect([status, user]).toEqual([101, 'alice']);
    if (socket === undefined) throw new Error('no socket');
    socket.write('one frame');
    const [echoed] = (await once(socket, 'data')) as [Buffer];
    expect(echoed.toString()).toBe('one frame');
    const startedAt = performance.now();
    await once(
      socket.on('error', () => undefined),
      'close',
    );
    expect(performance.now() - startedAt).toBeLessThan(streamMsMax / 2);
  });

  it('needs a token', async () => {
    expect((await openSocket(events)).status).toBe(401);
  });

  it.each(['/api/v1/orders', `/api/v1/orders/${orderId}`, '/api/v1/products', '/graphql', '/nowhere'])(
    'does not open at %s',
    async (path) => {
      expect((await openSocket(path, gateway.asAlice().headers)).status).toBeGreaterThanOrEqual(400);
    },
  );
});

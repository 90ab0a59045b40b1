import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { build, post, problemOf } from '../../testing/kit.ts';

/** A body that has only begun. */
const beginnings = [
  ['says how long it is', 'content-length: 100\r\n\r\n"abc'],
  ['comes in chunks', 'transfer-encoding: chunked\r\n\r\n4\r\n"abc\r\n'],
] as const;

describe('the HTTP edge', () => {
  const mount = ({ service }: ReturnType<typeof build>): void => {
    service.http.post('/things', service.body(z.strictObject({ n: z.int() })), (c) =>
      c.json(c.req.valid('json')),
    );
    service.http.get('/things/:id', (c) => c.json({ id: c.req.param('id') }));
    service.http.get('/boom', () => {
      throw new Error('the secret of the house');
    });
    service.http.get('/never', () => new Promise<Response>(() => undefined));
  };

  it.each([
    ['an address that is not there', '/nothing', {}, 404, 'ROUTE_NOT_FOUND'],
    ['another method', '/things/1', { method: 'DELETE' }, 405, 'METHOD_NOT_ALLOWED'],
    ['a body that is not JSON by type', '/things', post('a=1', 'text/plain'), 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['a body that is not JSON by content', '/things', post('{'), 400, 'MALFORMED_REQUEST'],
    ['an invalid field', '/things', post('{"n":"x"}'), 400, 'VALIDATION_FAILED'],
    ['a body above 64 KiB', '/things', post(JSON.stringify('x'.repeat(70_000))), 413, 'PAYLOAD_TOO_LARGE'],
    ['an unexpected exception', '/boom', {}, 500, 'INTERNAL'],
    ['a handler that never ends', '/never', {}, 504, 'DEADLINE_EXCEEDED'],
  ])('answers %s with its problem', async (_title, path, init, status, code) => {
    const kit = build({ httpDeadlineMs: code === 'DEADLINE_EXCEEDED' ? 50 : 5_000 });
    mount(kit);
    const response = await kit.service.http.request(path, init);
    expect(response.status).toBe(status);
    const problem = await problemOf(response);
    expect(problem).toMatchObject({ status, code, correlationId: response.headers.get('x-correlation-id') });
    expect(JSON.stringify(problem)).not.toContain('secret');
  });

  it.each(['gzip', 'zstd', 'gzip, br'])(
    'refuses a body encoded as %s, and names the encoding',
    async (encoding) => {
      const kit = build();
      mount(kit);
      const init = post('not read');
      const headers = { ...(init.headers as Record<string, string>), 'content-encoding': encoding };
      const response = await kit.service.http.request('/things', { ...init, headers });
      expect(response.status).toBe(415);
      expect(response.headers.get('accept-encoding')).toBe('identity');
      const problem = (await problemOf(response)) as { code: string; detail: string };
      expect(problem.code).toBe('UNSUPPORTED_MEDIA_TYPE');
      expect(problem.detail).toContain(` ${encoding};`);
    },
  );

  it('reads a body whose encoding is identity', async () => {
    const kit = build();
    mount(kit);
    const init = post('{"n":1}');
    const headers = { ...(init.headers as Record<string, string>), 'content-encoding': 'Identity' };
    expect((await kit.service.http.request('/things', { ...init, headers })).status).toBe(200);
  });

  it.each(['/things/1', '/boom', '/nothing'])(
    'answers HEAD %s with the status and the headers of GET',
    async (path) => {
      const kit = build();
      mount(kit);
      const headers = { 'x-correlation-id': 'c-1' };
      const get = await kit.service.http.request(path, { headers });
      const head = await kit.service.http.request(path, { method: 'HEAD', headers });
      expect([head.status, ...head.headers]).toEqual([get.status, ...get.headers]);
      expect(await head.text()).toBe('');
    },
  );

  it('answers before the time is over that the request says it waits, and never later than its own limit', async () => {
    // The other one of the two times is longer than this test may take.
    for (const [timeout, httpDeadlineMs, expectedMs] of [
      ['50', 600_000, 50],
      ['600000', 200, 200],
      ['soon', 200, 200],
    ] as const) {
      const kit = build({ httpDeadlineMs });
      mount(kit);
      const startedAtMs = performance.now();
      const response = await kit.service.http.request('/never', {
        headers: { 'x-parley-timeout-ms': timeout },
      });
      expect(response.status).toBe(504);
      expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(expectedMs - 5);
    }
  });

  it('does not begin what nobody waits for any more, and counts it', async () => {
    const kit = build();
    let begun = 0;
    kit.service.http.get('/work', (c) => c.json({ begun: ++begun }));
    await kit.service.run(() => undefined);
    const at = (port: number | undefined): string => `http://127.0.0.1:${port ?? 0}`;
    const headers = { 'x-parley-timeout-ms': '0' };
    const response = await fetch(`${at(kit.service.ports.http)}/work`, { headers });
    expect(await problemOf(response)).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(begun).toBe(0);
    const policies = await fetch(`${at(kit.service.ports.ops)}/ops/policies`);
    expect(await policies.json()).toMatchObject({ refusedLate: { http: 1, grpc: 0 } });
  });

  it('keeps the correlation id, continues the trace and writes one line about each request', async () => {
    const kit = build();
    mount(kit);
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const headers = { 'x-correlation-id': 'c-7', traceparent: `00-${traceId}-b7ad6b7169203331-01` };
    const response = await kit.service.http.request('/things/9', { headers });
    expect(response.headers.get('x-correlation-id')).toBe('c-7');
    const [span] = kit.spans.finished();
    expect(span).toMatchObject({ name: 'GET /things/:id' });
    expect(span?.parentSpanContext?.spanId).toBe('b7ad6b7169203331');
    expect(kit.lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { service: 'kit', correlationId: 'c-7', traceId, route: '/things/:id', status: 200 },
    ]);
  });

  it.each([
    ['no host', 'POST /things/1 HTTP/1.1\r\n'],
    ['an empty host', 'GET /things/1 HTTP/1.1\r\nhost:\r\n'],
    ['a host that is none', 'GET /things/1 HTTP/1.1\r\nhost: a:99999\r\n'],
    ['an address that is none', 'GET /things\\1 HTTP/1.1\r\nhost: kit\r\n'],
  ])(
    'answers a request with %s with a problem under its correlation id, at every port, and logs it',
    async (_title, head) => {
      const kit = build();
      mount(kit);
      await kit.service.run(() => undefined);
      const { http, ops } = kit.service.ports;
      for (const port of [http, ops]) {
        const socket = connect(port ?? 0, '127.0.0.1');
        socket.write(`${head}x-correlation-id: c-9\r\nconnection: close\r\n\r\n`);
        let answer = '';
        for await (const chunk of socket) answer += String(chunk);
        expect(answer).toMatch(
          /^HTTP\/1\.1 400 [^]*application\/problem\+json[^]*"code":"MALFORMED_REQUEST"/,
        );
        expect(answer).toContain('"correlationId":"c-9"');
      }
      const logged = kit.lines.filter((line) => line.includes('MALFORMED_REQUEST'));
      expect(logged.map((line) => JSON.parse(line) as unknown)).toMatchObject([
        { method: head.split(' ')[0], status: 400, correlationId: 'c-9' },
      ]);
    },
  );

  it('lets a request under way finish when it drains, and is not ready meanwhile', async () => {
    const kit = build();
    const entered = Promise.withResolvers<undefined>();
    const release = Promise.withResolvers<undefined>();
    kit.service.http.get('/slow', async (c) => {
      entered.resolve(undefined);
      await release.promise;
      return c.text('done');
    });
    const order: string[] = [];
    kit.service.onStop('first', () => void order.push('first'));
    kit.service.onStop('second', () => void order.push('second'));
    await kit.service.run(() => undefined);
    const { http = 0, ops = 0 } = kit.service.ports;
    const answer = new Promise<number | undefined>((resolve, reject) => {
      httpRequest({ host: '127.0.0.1', port: http, path: '/slow' }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
    await entered.promise;
    const stopping = kit.service.stop();
    expect((await fetch(`http://127.0.0.1:${ops}/readyz`)).status).toBe(503);
    release.resolve(undefined);
    expect(await answer).toBe(200);
    expect(await stopping).toBe(true);
    expect(order).toEqual(['second', 'first']);
  });

  it('answers OVERLOADED at once above the number in flight, and takes requests again when one has ended', async () => {
    const { service } = build({ inFlightMax: 2 });
    const release = Promise.withResolvers<undefined>();
    service.http.get('/waits', async (c) => {
      await release.promise;
      return c.text('done');
    });
    service.http.get('/boom', () => {
      throw new Error('boom');
    });
    const ask = async () => (await service.http.request('/waits')).status;
    const under = [ask(), ask()];
    const refused = await service.http.request('/waits');
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await problemOf(refused)).toMatchObject({ status: 503, code: 'OVERLOADED' });
    release.resolve(undefined);
    expect(await Promise.all(under)).toEqual([200, 200]);
    // A handler that throws gives its place back, too.
    for (let n = 0; n < 3; n += 1) expect((await service.http.request('/boom')).status).toBe(500);
    expect((await service.http.request('/waits')).status).toBe(200);
  });

  it('counts a request that it answered too late until its handler has ended', async () => {
    const { service } = build({ inFlightMax: 1, httpDeadlineMs: 300 });
    const release = Promise.withResolvers<undefined>();
    service.http.get('/waits', async (c) => {
      await release.promise;
      return c.text('done');
    });
    expect((await service.http.request('/waits')).status).toBe(504);
    expect((await service.http.request('/waits')).status).toBe(503);
    release.resolve(undefined);
    const status = async (): Promise<number> => (await service.http.request('/waits')).status;
    await expect.poll(status, { timeout: 10_000 }).toBe(200);
  });

  it.each(beginnings)(
    'keeps no place for a body that stops half-way, before and after its deadline (it %s)',
    async (_what, rest) => {
      const kit = build({ inFlightMax: 1, httpDeadlineMs: 1_000 });
      mount(kit);
      await kit.service.run(() => undefined);
      const port = kit.service.ports.http ?? 0;
      const other = async (): Promise<number> => (await fetch(`http://127.0.0.1:${port}/things/1`)).status;
      const socket = connect(port, '127.0.0.1');
      const answered = once(socket, 'data');
      const cut = once(socket, 'close');
      socket.write(`POST /things HTTP/1.1\r\nhost: kit\r\ncontent-type: application/json\r\n${rest}`);
      while (!kit.lines.some((line) => line.includes('DEADLINE_EXCEEDED'))) expect(await other()).toBe(200);
      expect(String((await answered)[0])).toMatch(/^HTTP\/1\.1 504 /);
      await cut;
      expect(await other()).toBe(200);
    },
  );

  it.each(beginnings)(
    'takes a client that leaves in the middle of its body for no failure of its own (it %s)',
    async (_what, rest) => {
      const kit = build();
      mount(kit);
      await kit.service.run(() => undefined);
      const socket = connect(kit.service.ports.http ?? 0, '127.0.0.1');
      await once(socket, 'connect');
      const head = 'POST /things HTTP/1.1\r\nhost: kit\r\ncontent-type: application/json\r\n';
      socket.write(`${head}${rest}`, () => socket.destroy());
      const said = () => kit.lines.map((line) => JSON.parse(line) as unknown);
      await expect.poll(said).toContainEqual(expect.objectContaining({ code: 'MALFORMED_REQUEST' }));
      expect(said()).not.toContainEqual(expect.objectContaining({ level: 'error' }));
    },
  );
});

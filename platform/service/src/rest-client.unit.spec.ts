import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { kitCatalog } from '../testing/catalog.ts';
import { build } from '../testing/kit.ts';
import { currentContext, runInContext } from './context.ts';
import { httpInstances, staticResolve } from './discovery/static.ts';
import { createPolicy } from './policy/policy.ts';
import { createRestClient } from './rest-client.ts';

const at = (peer: string, ...urls: readonly string[]) => ({
  peer,
  resolve: staticResolve(httpInstances(peer, urls)),
  errors: kitCatalog,
});

describe('the REST client', () => {
  it('tells answers, refusals and absence apart, and carries trace and correlation', async () => {
    const kit = build();
    kit.service.http.get('/seen', (c) => c.json({ correlationId: currentContext().correlationId }));
    await kit.service.run(() => undefined);
    const policy = createPolicy({ name: 'peer', timeoutMs: 10_000 });
    const client = createRestClient({
      ...at('kit', `http://127.0.0.1:${kit.service.ports.http ?? 0}`),
      policy,
    });
    const request = { method: 'GET', path: '/seen' } as const;
    const seen = await runInContext({ correlationId: 'c-9' }, () => client.request(request));
    expect(seen).toEqual({ kind: 'ok', status: 200, body: { correlationId: 'c-9' } });
    expect(await client.request({ method: 'GET', path: '/nothing' })).toMatchObject({
      code: 'ROUTE_NOT_FOUND',
    });
    const [server, caller] = kit.spans.finished();
    expect(server?.parentSpanContext?.spanId).toBe(caller?.spanContext().spanId);
    const absent = createRestClient({ ...at('kit', 'http://127.0.0.1:1'), policy });
    expect(await absent.request(request)).toEqual({ kind: 'unavailable', reason: 'unreachable' });
  });

  it.each([
    ['says how long it is', true],
    ['does not say how long it is', false],
  ])('takes an answer that is too long for none, and reads no more of it (it %s)', async (_what, says) => {
    const MEBIBYTE = 1_048_576;
    let written = 0;
    let cut = false;
    const peer = createServer((_request, response) => {
      response.writeHead(200, says ? { 'content-length': String(64 * MEBIBYTE) } : {});
      const chunk = Buffer.alloc(65_536, '"');
      const write = (): void => {
        while (written < 64 * MEBIBYTE && !response.destroyed) {
          written += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', write);
        }
      };
      response.on('close', () => (cut = true));
      write();
    });
    await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve));
    const { port } = peer.address() as AddressInfo;
    const policy = createPolicy({ name: 'peer', timeoutMs: 10_000 });
    const client = createRestClient({ ...at('long', `http://127.0.0.1:${port}`), policy });
    try {
      expect(await client.request({ method: 'GET', path: '/' })).toEqual({
        kind: 'unavailable',
        reason: 'answer-too-large',
        status: 200,
      });
      await expect.poll(() => cut).toBe(true);
      expect(written).toBeLessThan(32 * MEBIBYTE);
    } finally {
      peer.closeAllConnections();
      peer.close();
    }
  });

  it.each([
    ['is final: it is asked for once', 200, 1, { reason: 'answer-too-large', status: 200 }],
    ['of a peer that failed is a failure like any other', 503, 3, { reason: 'peer', status: 503 }],
  ])('an answer that is too long %s', async (_what, status, asked, expected) => {
    const kit = build();
    let requests = 0;
    kit.service.http.get('/long', () => {
      requests += 1;
      return new Response('x'.repeat(100), { status });
    });
    await kit.service.run(() => undefined);
    const client = createRestClient({
      ...at('kit', `http://127.0.0.1:${kit.service.ports.http ?? 0}`),
      policy: createPolicy({ name: 'peer', timeoutMs: 1_000, retries: 2, retryDelayMs: 1 }),
      answerBytesMax: 99,
    });
    const answer = await client.request({ method: 'GET', path: '/long' });
    expect(answer).toMatchObject({ kind: 'unavailable', ...expected });
    expect(requests).toBe(asked);
  });

  it('tells a code that looks like none as UNKNOWN', async () => {
    const { service } = build();
    service.http.get('/odd', (c) => c.json({ code: 'A\r\nB' }, 409));
    service.http.get('/long', (c) => c.json({ code: 'A'.repeat(65) }, 409));
    await service.run(() => undefined);
    const policy = createPolicy({ name: 'peer', timeoutMs: 1_000 });
    const client = createRestClient({ ...at('kit', `http://127.0.0.1:${service.ports.http ?? 0}`), policy });
    for (const path of ['/odd', '/long']) {
      expect(await client.request({ method: 'GET', path })).toEqual({
        kind: 'problem',
        status: 409,
        code: 'UNKNOWN',
      });
    }
  });
});

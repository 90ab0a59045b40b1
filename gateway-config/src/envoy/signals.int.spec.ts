import { randomBytes } from 'node:crypto';
import { correlationIdPattern } from '@parley/contracts/headers';
import { Problem } from '@parley/contracts/rest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { echoOf, startTestGateway, type TestGateway } from '../../testing/test-gateway.ts';
import type { Span } from '../../testing/zipkin-spans.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.stop());

describe('correlation', () => {
  it('a well-formed id is kept: at the service, in the answer, in a problem', async () => {
    const headers = { 'x-correlation-id': 'Checkout-7.a_b' };
    const response = await gateway.ask('/api/v1/products', { headers });
    expect(response.headers.get('x-correlation-id')).toBe('Checkout-7.a_b');
    expect((await echoOf(response)).headers['x-correlation-id']).toBe('Checkout-7.a_b');
    for (const path of ['/nowhere', '/api/v1/orders']) {
      const refused = await gateway.ask(path, { headers });
      expect(refused.headers.get('x-correlation-id')).toBe('Checkout-7.a_b');
      expect(Problem.parse(await refused.json()).correlationId).toBe('Checkout-7.a_b');
    }
  });

  it.each([undefined, 'two words', '-leading', 'a'.repeat(65), 'semi;colon', '%41'])(
    '%j is replaced by a fresh one',
    async (sent) => {
      const headers: Record<string, string> = sent === undefined ? {} : { 'x-correlation-id': sent };
      const first = await gateway.ask('/api/v1/products', { headers });
      const second = await gateway.ask('/api/v1/products', { headers });
      const id = first.headers.get('x-correlation-id');
      expect(id).toMatch(correlationIdPattern);
      expect(id).not.toBe(sent);
      expect(id).not.toBe(second.headers.get('x-correlation-id'));
      expect((await echoOf(first)).headers['x-correlation-id']).toBe(id);
    },
  );

  it('64 characters are well-formed', async () => {
    const id = 'a'.repeat(64);
    const response = await gateway.ask('/api/v1/products', { headers: { 'x-correlation-id': id } });
    expect(response.headers.get('x-correlation-id')).toBe(id);
  });
});

describe('traces', () => {
  const spansOf = async (traceId: string, count: number): Promise<Span[]> => {
    await expect
      .poll(() => gateway.spans.filter((span) => span.traceId === traceId), { timeout: 5000, interval: 50 })
      .toHaveLength(count);
    return gateway.spans.filter((span) => span.traceId === traceId);
  };

  it("a client's trace goes on: SERVER below the client, CLIENT below SERVER, the service below CLIENT", async () => {
    const traceId = randomBytes(16).toString('hex');
    const parentId = randomBytes(8).toString('hex');
    const headers = {
      traceparent: `00-${traceId}-${parentId}-01`,
      b3: `${'1'.repeat(32)}-${'2'.repeat(16)}-1`,
    };
    const seen = await echoOf(await gateway.ask('/api/v1/products', { headers }));
    const [server, client] = (await spansOf(traceId, 2)).sort((a) => (a.kind === 'SERVER' ? -1 : 1));
    expect(server).toMatchObject({ kind: 'SERVER', parentId, localEndpoint: { serviceName: 'gateway' } });
    expect(client).toMatchObject({ kind: 'CLIENT', parentId: server?.id });
    expect(seen.headers.traceparent).toBe(`00-${traceId}-${client?.id ?? ''}-01`);
  });

  it('nothing on a span says who asked: no address, no user agent, no query', async () => {
    const traceId = randomBytes(16).toString('hex');
    const headers = {
      traceparent: `00-${traceId}-${randomBytes(8).toString('hex')}-01`,
      'user-agent': 'a-browser-of-alice',
    };
    await gateway.ask('/api/v1/products?after=alices-own', { headers });
    const told = await spansOf(traceId, 2);
    expect(told.find(({ kind }) => kind === 'SERVER')?.tags).toMatchObject({
      'http.method': 'GET',
      'http.url': '/api/v1/products',
      'http.status_code': '200',
      upstream_cluster: 'product',
    });
    for (const { tags } of told) {
      expect(tags['peer.address'] ?? '-').toBe('-');
      expect(JSON.stringify(tags)).not.toMatch(/alice/);
    }
  });

  const traceIdSeen = async (traceparent: string): Promise<string> => {
    const seen = await echoOf(await gateway.ask('/api/v1/products', { headers: { traceparent } }));
    return /^00-([0-9a-f]{32})-[0-9a-f]{16}-01$/.exec(String(seen.headers.traceparent))?.[1] ?? 'none';
  };

  it.each([
    ['version 01', '01', ''],
    ['version 01 with fields that nobody knows yet', '01', '-what-comes-later'],
    ['version fe', 'fe', ''],
  ])('a trace of %s goes on', async (_what, version, more) => {
    const traceId = randomBytes(16).toString('hex');
    const sent = `${version}-${traceId}-${randomBytes(8).toString('hex')}-01${more}`;
    expect(await traceIdSeen(sent)).toBe(traceId);
  });

  it.each([
    ['of version ff', 'ff', ''],
    ['of version 00 with a field too many', '00', '-x'],
  ])('a traceparent %s is none: the request gets a trace of its own', async (_what, version, more) => {
    const traceId = randomBytes(16).toString('hex');
    const seen = await traceIdSeen(`${version}-${traceId}-${randomBytes(8).toString('hex')}-01${more}`);
    expect(seen).toMatch(/^[0-9a-f]{32}$/);
    expect(seen).not.toBe(traceId);
  });

  it('a request without a trace gets one', async () => {
    const seen = await echoOf(await gateway.ask('/api/v1/products'));
    const traceId = /^00-([0-9a-f]{32})-/.exec(String(seen.headers.traceparent))?.[1];
    const [first, second] = await spansOf(traceId ?? '', 2);
    expect([first?.kind, second?.kind].sort()).toEqual(['CLIENT', 'SERVER']);
  });
});

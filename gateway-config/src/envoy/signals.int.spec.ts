import { randomBytes } from 'node:crypto';
import { correlationIdPattern } from '@parley/contracts/headers';
import { Problem } from '@parley/contracts/rest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { echoOf, startTestGateway, type TestGateway } from '../../testing/test-gateway.ts';
import { gatewayPolicy } from '../policy/policy.ts';
import type { Span } from '../../testing/zipkin-spans.ts';

const untilSent = { timeout: 60_000, interval: 50 };
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
      .poll(() => gateway.spans.filter((span) => span.traceId === traceId), untilSent)
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

describe('sampling', () => {
  const begunPerSecondMax = 3; // so few that not all of 40 requests are traced, unless they take more than 13 s
  let sampling: TestGateway;
  beforeAll(async () => {
    const limits = { ...gatewayPolicy.limits, client: { requests: 10_000, windowSeconds: 1 } };
    sampling = await startTestGateway({
      policy: { ...gatewayPolicy, limits, traces: { begunPerSecondMax } },
    });
  });
  afterAll(() => sampling.stop());

  const asked = async (path: string, count: number, headers: Record<string, string> = {}) => {
    const seen = await Promise.all(
      Array.from({ length: count }, async () => echoOf(await sampling.ask(path, { headers }))),
    );
    return seen.map((each) => {
      const [, traceId, , flags] = String(each.headers.traceparent).split('-');
      return { traceId, sampled: flags === '01', headers: each.headers };
    });
  };
  const newContext = (flags: string): string =>
    `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-${flags}`;

  it('of one route at most so many traces are begun in a second; every request has an id, and spans only if its trace was begun', async () => {
    const startedAt = performance.now();
    const seen = await asked('/api/v1/products', 40);
    const windows = 2 + Math.floor((performance.now() - startedAt) / 1000);
    const begun = seen.filter(({ sampled }) => sampled).map(({ traceId }) => traceId);
    expect(begun.length).toBeGreaterThanOrEqual(begunPerSecondMax);
    expect(begun.length).toBeLessThanOrEqual(windows * begunPerSecondMax);
    expect(new Set(seen.map(({ traceId }) => traceId)).size).toBe(seen.length);
    // Asked last, so once its spans have come, those of the others would have.
    const last = newContext('01');
    await asked('/api/v1/products', 1, { traceparent: last });
    await expect
      .poll(() => sampling.spans.filter(({ traceId }) => traceId === last.split('-')[1]).length, untilSent)
      .toBe(2);
    const ids = new Set(seen.map(({ traceId }) => traceId));
    const spans = sampling.spans.filter(({ traceId }) => ids.has(traceId));
    expect(spans.map(({ traceId }) => traceId).toSorted()).toEqual([...begun, ...begun].toSorted());
  });

  it('a busy route takes no traces from another', async () => {
    await asked('/api/v1/products', 40);
    const [query] = await asked('/graphql?query=%7B%7D', 1);
    expect(query?.sampled).toBe(true);
  });

  it.each([
    ['01', true],
    ['00', false],
  ])(
    'a client that sends a context with flags %s has decided itself, whatever the rate',
    async (flags, sampled) => {
      const traceparent = newContext(flags);
      const seen = await asked('/api/v1/products', 20, { traceparent });
      expect(seen.map((each) => [each.traceId, each.sampled])).toEqual(
        seen.map(() => [traceparent.split('-')[1], sampled]),
      );
    },
  );

  it('a request with a context takes no trace from one without, or with rubbish for one', async () => {
    const path = '/graphql?query=%7B%7D'; // of which the tests before this one have hardly asked
    const inOneSecond = async (): Promise<boolean> => {
      const startedAt = Math.floor(Date.now() / 1_000);
      await asked(path, 4 * begunPerSecondMax, { traceparent: newContext('00') });
      const [none] = await asked(path, 1);
      const [rubbish] = await asked(path, 1, { traceparent: newContext('00').slice(1) });
      expect([none?.sampled, rubbish?.sampled]).toEqual([true, true]);
      return Math.floor(Date.now() / 1_000) === startedAt;
    };
    await expect.poll(inOneSecond, { timeout: 60_000, interval: 1_050 }).toBe(true); // else it says nothing
  });

  it('nobody has a trace begun by another header, and no service sees the one by which it is', async () => {
    const forced = { 'x-client-trace-id': 'mine', 'x-envoy-force-trace': '1', 'x-b3-sampled': '1' };
    const seen = await asked('/api/v1/products', 40, forced);
    expect(seen.some(({ sampled }) => !sampled)).toBe(true);
    for (const { headers } of seen) expect(headers).not.toHaveProperty('x-client-trace-id');
  });
});

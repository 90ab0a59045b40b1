import { randomBytes } from 'node:crypto';
import { createServer, request, type IncomingHttpHeaders, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { serviceNames, type ServiceName } from '@parley/contracts/endpoints';
import { errorCatalog, type ErrorCode } from '@parley/contracts/errors';
import { correlationIdPattern, userIdPattern } from '@parley/contracts/headers';
import { Problem } from '@parley/contracts/rest';
import { startTestEngines, type TestEngines } from '@parley/engines/testing';
import { exportJWK, generateKeyPair, importJWK, SignJWT, UnsecuredJWT } from 'jose';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ensureDevKeys, mintToken, type DevKeys } from '../dev-keys.ts';
import { tokenPolicy } from '../identity.ts';
import { renderEnvoy, type Address } from './render.ts';

/** What a service was asked, as it answers it. */
const Echo = z.object({
  service: z.string(),
  method: z.string(),
  url: z.string(),
  headers: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
});
const Span = z.looseObject({
  traceId: z.string(),
  id: z.string(),
  parentId: z.string().optional(),
  kind: z.string(),
  localEndpoint: z.looseObject({ serviceName: z.string() }),
  tags: z.record(z.string(), z.string()),
});
type Span = z.infer<typeof Span>;

const servers: Server[] = [];
const listen = async (server: Server): Promise<Address> => {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
};

const echo = (service: ServiceName): Server =>
  createServer((request, response) => {
    request.resume().on('end', () => {
      const headers: IncomingHttpHeaders = request.headers;
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ service, method: request.method, url: request.url, headers }));
    });
  });

const spans: Span[] = [];
const collector = (): Server =>
  createServer((request, response) => {
    const chunks: Buffer[] = [];
    request
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => {
        spans.push(...z.array(Span).parse(JSON.parse(Buffer.concat(chunks).toString('utf8'))));
        response.writeHead(202).end();
      });
  });

let engines: TestEngines | undefined;
let keys: DevKeys;
let token: string;

beforeAll(async () => {
  const upstreams = {} as Record<ServiceName, Address>;
  for (const name of serviceNames) upstreams[name] = await listen(echo(name));
  upstreams.shipping = { host: '127.0.0.1', port: 1 }; // nothing listens there
  const zipkin = await listen(collector());
  engines = await startTestEngines({
    only: ['envoy'],
    envoyConfig: async ({ ports, runDir }) => {
      keys = await ensureDevKeys(runDir);
      return renderEnvoy({
        listen: { host: '127.0.0.1', port: ports.gateway },
        admin: { host: '127.0.0.1', port: ports.gatewayAdmin },
        upstreams,
        jwksPath: keys.jwksPath,
        zipkin,
        accessLogPath: join(runDir, 'access.jsonl'),
      });
    },
  });
  token = await mintToken({ privateKeyPath: keys.privateKeyPath, sub: 'alice', ttlSeconds: 600 });
});

afterAll(async () => {
  await engines?.stop();
  for (const server of servers) server.close();
});

const url = (): URL => new URL(engines?.gatewayUrl ?? 'http://no-engines');
const ask = (path: string, init: RequestInit = {}) => fetch(`${url().origin}${path}`, init);
const asAlice = (headers: Record<string, string> = {}) => ({
  headers: { authorization: `Bearer ${token}`, ...headers },
});
const echoOf = async (response: Response) => Echo.parse(await response.json());

const expectProblem = async (response: Response, code: ErrorCode) => {
  const problem = Problem.parse(await response.json());
  const { httpStatus, title } = errorCatalog[code];
  expect(problem).toMatchObject({ code, status: httpStatus, title });
  expect(response.status).toBe(httpStatus);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(problem.correlationId).toMatch(correlationIdPattern);
  return problem;
};

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
    const seen = await echoOf(await ask(path, asAlice()));
    expect(seen).toMatchObject({ service, method: 'GET', url: path });
  });

  it('a payment cannot be made from outside', async () => {
    const body = { method: 'POST', body: '{}', ...asAlice({ 'content-type': 'application/json' }) };
    await expectProblem(await ask('/api/v1/payments', body), 'ROUTE_NOT_FOUND');
    const onItem = await ask(`/api/v1/payments/${orderId}`, body);
    await expectProblem(onItem, 'METHOD_NOT_ALLOWED');
    expect(onItem.headers.get('allow')).toBe('GET');
  });

  it.each([
    '/',
    '/api/v1',
    '/api/v1/ordersx',
    '/livez',
    '/api/v1/payments/',
    `/api/v1/payments/${orderId}/x`,
  ])('%s is nowhere', async (path) => {
    await expectProblem(await ask(path, asAlice()), 'ROUTE_NOT_FOUND');
  });

  it('a path that hides its slashes is refused, not routed', async () => {
    await expectProblem(await ask('/api/v1/products%2f..%2forders'), 'MALFORMED_REQUEST');
  });

  it.each([
    ['a request without a host', 'GET /api/v1/products HTTP/1.1\r\n\r\n'],
    ['what is not HTTP', 'GET nowhere\r\n\r\n'],
    ['a transfer encoding that nobody has', 'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: y\r\n\r\n'],
  ])('%s is MALFORMED_REQUEST, with a correlation id all the same', async (_what, sent) => {
    const raw = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(url().port), url().hostname, () => socket.write(sent));
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
    const post = (bytes: number) => ask('/graphql', { method: 'POST', body: 'x'.repeat(bytes) });
    expect((await echoOf(await post(64 * 1024))).method).toBe('POST');
    await expectProblem(await post(64 * 1024 + 1), 'PAYLOAD_TOO_LARGE');
  });

  it('a service that cannot be reached is BACKEND_UNAVAILABLE, and when to come back is said', async () => {
    const response = await ask(`/api/v1/shipments/${orderId}`, asAlice());
    await expectProblem(response, 'BACKEND_UNAVAILABLE');
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});

describe('identity', () => {
  const now = () => Math.floor(Date.now() / 1000);
  const good = () => ({
    sub: 'alice',
    iss: tokenPolicy.issuer,
    aud: tokenPolicy.audience,
    exp: now() + 60,
  });
  const signed = async (payload: Record<string, unknown>, strangersKey = false): Promise<string> => {
    const { kid, ...jwk } = z
      .looseObject({ kid: z.string() })
      .parse(JSON.parse(await readFile(keys.privateKeyPath, 'utf8')));
    const stranger = await generateKeyPair('RS256', { extractable: true });
    const key = strangersKey ? await exportJWK(stranger.privateKey) : { ...jwk, kty: 'RSA' };
    return new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid }).sign(await importJWK(key, 'RS256'));
  };

  it('the control: a good token of this making is accepted', async () => {
    const response = await ask('/api/v1/orders', {
      headers: { authorization: `Bearer ${await signed(good())}` },
    });
    expect(response.status).toBe(200);
  });

  const cases: [string, () => Promise<string | undefined> | string | undefined][] = [
    ['no token', () => undefined],
    ['no scheme', () => token],
    ['garbage', () => 'Bearer not.a.token'],
    ['an expired token', async () => `Bearer ${await signed({ ...good(), exp: now() - 60 })}`],
    ['a token without expiry', async () => `Bearer ${await signed({ ...good(), exp: undefined })}`],
    ['a token of the future', async () => `Bearer ${await signed({ ...good(), nbf: now() + 60 })}`],
    ['a wrong audience', async () => `Bearer ${await signed({ ...good(), aud: 'other' })}`],
    ['no audience', async () => `Bearer ${await signed({ ...good(), aud: undefined })}`],
    ['a wrong issuer', async () => `Bearer ${await signed({ ...good(), iss: 'other' })}`],
    ["a stranger's signature", async () => `Bearer ${await signed(good(), true)}`],
    ['alg none', () => `Bearer ${new UnsecuredJWT(good()).encode()}`],
    [
      'the public key as a shared secret',
      async () => {
        const secret = new TextEncoder().encode(await readFile(keys.jwksPath, 'utf8'));
        return `Bearer ${await new SignJWT(good()).setProtectedHeader({ alg: 'HS256' }).sign(secret)}`;
      },
    ],
  ];
  it.each(cases)('%s is UNAUTHENTICATED on every protected route', async (_name, make) => {
    const authorization = await make();
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    for (const path of ['orders', `orders/${orderId}`, `payments/${orderId}`, `notifications/${orderId}`]) {
      const response = await ask(`/api/v1/${path}`, { headers });
      await expectProblem(response, 'UNAUTHENTICATED');
      expect(response.headers.get('www-authenticate')).toMatch(/^Bearer realm=/);
    }
  });

  it.each([
    ['no subject', undefined],
    ['an empty subject', ''],
    ['a blank before the subject', ' alice'],
    ['a blank behind it', 'alice '],
    ['a tab behind it', 'alice\t'],
    ['a blank in it', 'alice smith'],
    ['too many characters', 'a'.repeat(129)],
    ['a header of its own', 'alice\r\nx-user-roles: admin'],
    ['a character beyond ASCII', 'ál'],
    ['DEL', 'alice\x7f'],
  ])('a token with %s is UNAUTHENTICATED: no service would read the same user', async (_what, sub) => {
    const headers = { authorization: `Bearer ${await signed({ ...good(), sub })}` };
    const response = await ask('/api/v1/orders', { headers });
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer realm=/);
    await expectProblem(response, 'UNAUTHENTICATED');
    expect(userIdPattern.test(sub ?? '')).toBe(false);
  });

  it.each(['!', '~', 'a'.repeat(128), 'auth0|5f7c8ec7c33c6c004bbafe82', 'a,b'])(
    'the subject %s is a user',
    async (sub) => {
      const headers = { authorization: `Bearer ${await signed({ ...good(), sub })}` };
      const seen = await echoOf(await ask('/api/v1/orders', { headers }));
      expect(seen.headers['x-user-id']).toBe(sub);
      expect(userIdPattern.test(sub)).toBe(true);
    },
  );

  /** The status of an answer to a request with exactly these lines of the header. */
  const statusWith = (authorization: readonly string[]): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const headers = ['host', url().host, ...authorization.flatMap((line) => ['authorization', line])];
      request(`${url().origin}/api/v1/orders`, { headers })
        .on('response', (response) => {
          response.resume();
          resolve(response.statusCode);
        })
        .on('error', reject)
        .end();
    });

  it.each([
    ['two users', 'mallory'],
    ['one user', 'alice'],
  ])('two tokens of %s are UNAUTHENTICATED, in one line and in two', async (_of, sub) => {
    const first = `Bearer ${token}`;
    const second = `bearer ${await signed({ ...good(), sub })}`;
    expect(await statusWith([first])).toBe(200);
    expect(await statusWith([second])).toBe(200);
    for (const [a, b] of [[first, second] as const, [second, first] as const]) {
      for (const lines of [[a, b], [`${a}, ${b}`], [`${a},${b}`], [`${a} ${b}`]])
        expect(await statusWith(lines), lines.join('|')).toBe(401);
      await expectProblem(
        await ask('/api/v1/orders', { headers: { authorization: `${a}, ${b}` } }),
        'UNAUTHENTICATED',
      );
    }
  });

  it('a token in the query is not taken', async () => {
    await expectProblem(await ask(`/api/v1/orders?access_token=${token}`), 'UNAUTHENTICATED');
  });

  it('the subject of the token is the user, whatever the client claims; the token itself stays here', async () => {
    const seen = await echoOf(await ask('/api/v1/orders', asAlice({ 'x-user-id': 'mallory' })));
    expect(seen.headers).toMatchObject({ 'x-user-id': 'alice' });
    expect(seen.headers.authorization).toBeUndefined();
  });

  it('an open route knows no user, whatever the client claims', async () => {
    const seen = await echoOf(await ask('/api/v1/products', { headers: { 'x-user-id': 'mallory' } }));
    expect(seen.headers['x-user-id']).toBeUndefined();
  });
});

describe('correlation', () => {
  it('a well-formed id is kept: at the service, in the answer, in a problem', async () => {
    const headers = { 'x-correlation-id': 'Checkout-7.a_b' };
    const response = await ask('/api/v1/products', { headers });
    expect(response.headers.get('x-correlation-id')).toBe('Checkout-7.a_b');
    expect((await echoOf(response)).headers['x-correlation-id']).toBe('Checkout-7.a_b');
    for (const path of ['/nowhere', '/api/v1/orders']) {
      const refused = await ask(path, { headers });
      expect(refused.headers.get('x-correlation-id')).toBe('Checkout-7.a_b');
      expect(Problem.parse(await refused.json()).correlationId).toBe('Checkout-7.a_b');
    }
  });

  it.each([undefined, 'two words', '-leading', 'a'.repeat(65), 'semi;colon', '%41'])(
    '%j is replaced by a fresh one',
    async (sent) => {
      const headers: Record<string, string> = sent === undefined ? {} : { 'x-correlation-id': sent };
      const first = await ask('/api/v1/products', { headers });
      const second = await ask('/api/v1/products', { headers });
      const id = first.headers.get('x-correlation-id');
      expect(id).toMatch(correlationIdPattern);
      expect(id).not.toBe(sent);
      expect(id).not.toBe(second.headers.get('x-correlation-id'));
      expect((await echoOf(first)).headers['x-correlation-id']).toBe(id);
    },
  );

  it('64 characters are well-formed', async () => {
    const id = 'a'.repeat(64);
    const response = await ask('/api/v1/products', { headers: { 'x-correlation-id': id } });
    expect(response.headers.get('x-correlation-id')).toBe(id);
  });
});

describe('traces', () => {
  const spansOf = async (traceId: string, count: number): Promise<Span[]> => {
    await expect
      .poll(() => spans.filter((span) => span.traceId === traceId), { timeout: 5000, interval: 50 })
      .toHaveLength(count);
    return spans.filter((span) => span.traceId === traceId);
  };

  it("a client's trace goes on: SERVER below the client, CLIENT below SERVER, the service below CLIENT", async () => {
    const traceId = randomBytes(16).toString('hex');
    const parentId = randomBytes(8).toString('hex');
    const headers = {
      traceparent: `00-${traceId}-${parentId}-01`,
      b3: `${'1'.repeat(32)}-${'2'.repeat(16)}-1`,
    };
    const seen = await echoOf(await ask('/api/v1/products', { headers }));
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
    await ask('/api/v1/products?after=alices-own', { headers });
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

  it('a request without a trace gets one', async () => {
    const seen = await echoOf(await ask('/api/v1/products'));
    const traceId = /^00-([0-9a-f]{32})-/.exec(String(seen.headers.traceparent))?.[1];
    const [first, second] = await spansOf(traceId ?? '', 2);
    expect([first?.kind, second?.kind].sort()).toEqual(['CLIENT', 'SERVER']);
  });
});

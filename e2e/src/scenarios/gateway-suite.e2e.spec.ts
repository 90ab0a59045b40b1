import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { status, type ServiceError } from '@grpc/grpc-js';
import { ProductServiceService } from '@parley/contracts/grpc/product';
import { correlationIdPattern } from '@parley/contracts/headers';
import { OrderPage, OrderResource, Problem, ProductPage, ProductResource } from '@parley/contracts/rest';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { grpcCaller } from '../grpc-caller.ts';
import { evidence } from '../ledger/evidence.ts';
import { readStack } from '../stack.ts';
import { attacks, compact, goodClaims, signingKeyOf, type Attack } from '../token-attacks.ts';
import { Span } from '../traces.ts';
import { waitFor } from '../wait.ts';

interface Target {
  readonly url: string;
  readonly keyPath: string;
  /** Zipkin's API, where the gateway's spans arrive. */
  readonly tracesApi: string | undefined;
}

/**
 * The behaviour of a gateway, whichever it is, from outside and nothing else: `npm run test:gateway -- --url U
 * --token-key F` names one, and PARLEY_TRACES_API where its spans arrive; without, it is the stack's.
 */
const target = (): Target => {
  const { PARLEY_GATEWAY_URL: url, PARLEY_TOKEN_KEY: keyPath, PARLEY_TRACES_API: tracesApi } = process.env;
  if (url !== undefined && keyPath !== undefined) return { url, keyPath, tracesApi };
  const { endpoints, runDir } = readStack();
  const stackKeyPath = join(runDir, 'gateway/dev-key.private.json');
  return { url: endpoints.gateway.url, keyPath: stackKeyPath, tracesApi: endpoints.traces.api };
};
const { url, keyPath, tracesApi } = target();
const issuer = signingKeyOf(
  z.looseObject({ kid: z.string() }).parse(JSON.parse(readFileSync(keyPath, 'utf8'))),
);
const bearer = (sub: string): string =>
  `Bearer ${compact({ alg: issuer.alg, kid: issuer.kid }, goodClaims(sub, issuer.kid), issuer)}`;
const productId = 'wool-door-stop';
const timeoutMs = 120_000;

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** A request with exactly this path and these header lines: nothing is normalised on the way. */
const send = (
  path: string,
  { method = 'GET', lines = [], body }: { method?: string; lines?: readonly string[]; body?: string } = {},
): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const { hostname, port, host } = new URL(url);
    const length = body === undefined ? [] : ['content-length', String(Buffer.byteLength(body))];
    const sent = request(
      { hostname, port, path, method, headers: ['host', host, ...length, ...lines], timeout: timeoutMs },
      (response) => {
        const chunks: Buffer[] = [];
        response
          .on('data', (chunk: Buffer) => chunks.push(chunk))
          .on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
          })
          .on('error', reject);
      },
    );
    sent.on('timeout', () => sent.destroy(new Error(`no answer to ${method} ${path} in ${timeoutMs} ms`)));
    sent.on('error', reject).end(body);
  });
const as = (sub: string, ...lines: string[]): string[] => ['authorization', bearer(sub), ...lines];
const fresh = (name: string): string => `${name}-${randomUUID()}`;
const json = ({ text }: Reply): unknown => JSON.parse(text);
const expectProblem = (reply: Reply, status: number, code: string): void => {
  expect(reply.status).toBe(status);
  expect(reply.headers['content-type']).toBe('application/problem+json');
  const problem = Problem.parse(json(reply));
  expect(problem).toMatchObject({ status, code });
  expect(problem.correlationId).toBe(reply.headers['x-correlation-id']);
};

describe('routes', () => {
  it('lead to the service that the path names', async () => {
    expect(ProductPage.safeParse(json(await send('/api/v1/products?limit=2'))).success).toBe(true);
    expect(ProductResource.parse(json(await send(`/api/v1/products/${productId}`))).productId).toBe(
      productId,
    );
    expect(OrderPage.parse(json(await send('/api/v1/orders', { lines: as(fresh('routes')) }))).items).toEqual(
      [],
    );
  });

  it.each([
    '/',
    '/api/v1',
    '/api/v1/ordersx',
    '/livez',
    '/ops/policies',
    '/metrics',
    '/stats',
    '/api/v1/payments',
  ])('%s leads nowhere: operations and administration are not behind the gateway', async (path) => {
    expectProblem(await send(path, { lines: as(fresh('nowhere')) }), 404, 'ROUTE_NOT_FOUND');
  });

  it.each(['/stats', '/config_dump', '/ops/policies', '/metrics'])(
    '%s leads nowhere either when the request names another address, as a proxy’s client would',
    async (path) => {
      for (const address of ['127.0.0.1:9901', 'localhost', '169.254.169.254'])
        expectProblem(await send(`http://${address}${path}`), 404, 'ROUTE_NOT_FOUND');
    },
  );

  it('no tunnel opens through the gateway', async () => {
    const answered = await new Promise<number>((resolve, reject) => {
      const { hostname, port } = new URL(url);
      request({ hostname, port, method: 'CONNECT', path: '127.0.0.1:9901', timeout: timeoutMs })
        .on('connect', ({ statusCode = 0 }, socket) => {
          socket.destroy();
          resolve(statusCode);
        })
        .on('response', ({ statusCode = 0 }) => {
          resolve(statusCode);
        })
        .on('error', reject)
        .end();
    });
    expect(answered).toBeGreaterThanOrEqual(400);
  });

  it.each([['DELETE'], ['PUT'], ['PATCH']])(
    '%s is a method that no route has, and the answer says which it has',
    async (method) => {
      const reply = await send(`/api/v1/products/${productId}`, { method });
      expectProblem(reply, 405, 'METHOD_NOT_ALLOWED');
      expect(reply.headers.allow).toBe('GET, HEAD');
    },
  );

  it.each([
    '//api//v1//products',
    '/api/./v1/products',
    '/api/v1/x/../products',
    '/api/v1/orders/../products',
  ])('%s is read as the path that it means', async (path) => {
    expect((await send(path)).status).toBe(200);
  });

  it.each(['/api/v1/products/../orders', '/graphql/../api/v1/orders'])(
    '%s does not get around a token',
    async (path) => {
      expectProblem(await send(path), 401, 'UNAUTHENTICATED');
    },
  );
});

describe('tokens', () => {
  const correlationId = fresh('attack');
  const attack = ({ authorization, path = '', cookie }: Attack): Promise<Reply> =>
    send(`/api/v1/orders${path}`, {
      lines: [
        'x-correlation-id',
        correlationId,
        ...authorization.flatMap((line) => ['authorization', line]),
        ...(cookie === undefined ? [] : ['cookie', cookie]),
      ],
    });

  /** A gateway may refuse a second header as it reads it, in words of its own: docs/gateway.md, where the two differ. */
  const isUnread = ({ authorization }: Attack, { status }: Reply): boolean =>
    authorization.length > 1 && status === 400;

  it('the control: a good token of this making is accepted, in any spelling of the scheme', async () => {
    const token = bearer(fresh('good')).slice('Bearer '.length);
    for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR'])
      expect((await send('/api/v1/orders', { lines: ['authorization', `${scheme} ${token}`] })).status).toBe(
        200,
      );
  });

  it.each(attacks(issuer).map((each) => [each.name, each] as const))('%s is refused', async (_name, each) => {
    const reply = await attack(each);
    if (!isUnread(each, reply)) expectProblem(reply, 401, 'UNAUTHENTICATED');
  });

  it('every attack gets the same answer, byte for byte, and learns nothing from it (US3.3, FR-008, SC-006)', async (context) => {
    const all = attacks(issuer);
    const answered = await Promise.all(all.map(async (each) => ({ each, reply: await attack(each) })));
    const replies = answered.filter(({ each, reply }) => !isUnread(each, reply)).map(({ reply }) => reply);
    expect(replies.length).toBeGreaterThanOrEqual(all.length - 1);
    expect([...new Set(replies.map(({ status }) => status))]).toEqual([401]);
    expect([...new Set(replies.map(({ text }) => text))]).toHaveLength(1);
    evidence(context, ['US3.3', 'FR-008', 'SC-006'], {
      attacks: all.length,
      accepted: replies.filter(({ status }) => status !== 401).length,
      differentAnswers: new Set(replies.map(({ text }) => text)).size,
      names: all.map(({ name }) => name),
    });
  });

  it('the subject of the token is the user, whatever else a client claims (US3.4)', async (context) => {
    const [victim, thief] = [fresh('victim'), fresh('thief')];
    const placed = await send('/api/v1/orders', {
      method: 'POST',
      body: JSON.stringify({ productId, quantity: 1 }),
      lines: as(victim, 'content-type', 'application/json', 'idempotency-key', randomUUID()),
    });
    const { orderId, customerId } = OrderResource.parse(json(placed));
    expect(customerId).toBe(victim);
    for (const name of ['x-user-id', 'X-User-Id']) {
      const reply = await send('/api/v1/orders', { lines: as(thief, name, victim, 'x-user-roles', 'admin') });
      expect(OrderPage.parse(json(reply)).items).toEqual([]);
    }
    evidence(context, ['US3.4'], { orderId, customerId });
  });
});

describe('answers', () => {
  it('keep a well-formed correlation id and replace any other', async () => {
    const kept = await send('/nowhere', { lines: ['x-correlation-id', 'Checkout-7.a_b'] });
    expect(kept.headers['x-correlation-id']).toBe('Checkout-7.a_b');
    for (const bad of ['two words', '-leading', 'a'.repeat(65)]) {
      const reply = await send('/api/v1/products?limit=1', { lines: ['x-correlation-id', bad] });
      expect(reply.headers['x-correlation-id']).toMatch(correlationIdPattern);
      expect(reply.headers['x-correlation-id']).not.toBe(bad);
    }
  });

  it('a body of more than 64 KiB is refused, before it reaches a service', async () => {
    const reply = await send('/graphql', { method: 'POST', body: 'x'.repeat(64 * 1024 + 1) });
    expectProblem(reply, 413, 'PAYLOAD_TOO_LARGE');
  });

  it('a page of a known origin may call, and any other may not', async () => {
    const preflight = (origin: string): Promise<Reply> =>
      send('/api/v1/orders', {
        method: 'OPTIONS',
        lines: ['origin', origin, 'access-control-request-method', 'POST'],
      });
    const known = await preflight('http://localhost:5173');
    expect(known.status).toBe(200);
    expect(known.headers['access-control-allow-origin']).toBe('http://localhost:5173');
    expect((await preflight('https://evil.example')).headers['access-control-allow-origin']).toBeUndefined();
  });
});

describe('traces', () => {
  it('a trace that a client has begun goes on in the gateway, below the client’s span', async (context) => {
    if (tracesApi === undefined) return context.skip('PARLEY_TRACES_API does not say where spans arrive');
    const [traceId, parentId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
    const lines = ['traceparent', `00-${traceId}-${parentId}-01`];
    expect((await send('/api/v1/products?limit=1', { lines })).status).toBe(200);
    const look = async (): Promise<Span | undefined> => {
      const response = await fetch(`${tracesApi}/trace/${traceId}`, {
        signal: AbortSignal.timeout(timeoutMs),
      });
      const spans = response.status === 200 ? z.array(Span).parse(await response.json()) : [];
      return spans.find((span) => span.localEndpoint.serviceName === 'gateway' && span.kind === 'SERVER');
    };
    const span = await waitFor('the gateway’s span', look, { deadlineMs: timeoutMs, intervalMs: 250 });
    expect([span.traceId, span.parentId]).toEqual([traceId, parentId]);
  });
});

/** Orders until one has come in pieces. */
const FOLLOWED_MAX = 5;

describe('streams', () => {
  const placed = async (sub: string): Promise<string> => {
    const reply = await send('/api/v1/orders', {
      method: 'POST',
      body: JSON.stringify({ productId, quantity: 1 }),
      lines: as(sub, 'content-type', 'application/json', 'idempotency-key', randomUUID()),
    });
    return OrderResource.parse(json(reply)).orderId;
  };

  /** Follows an order to its end; answers how many events there were, and in how many pieces they came. */
  const follow = async (): Promise<{ readonly events: number; readonly pieces: number }> => {
    const customer = fresh('follower');
    const orderId = await placed(customer);
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(`${url}/api/v1/orders/${orderId}/events`, {
      headers: { authorization: bearer(customer) },
      signal,
    });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    expect(response.headers.get('x-correlation-id')).toMatch(correlationIdPattern);
    let [text, pieces] = ['', 0];
    for await (const piece of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
      pieces += 1;
      text += piece;
    }
    const followed = [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) =>
      OrderResource.parse(JSON.parse(data)),
    );
    expect(followed.map((order) => order.orderId)).toEqual(followed.map(() => orderId));
    expect(followed.at(-1)?.status).toBe('SHIPPED');
    const seen = { authorization: bearer(customer), 'last-event-id': 'SHIPPED' };
    const over = await fetch(`${url}/api/v1/orders/${orderId}/events`, { headers: seen, signal });
    expect(over.status).toBe(204);
    return { events: followed.length, pieces };
  };

  it('an order is followed by its events: the first comes while the stream goes on, the last is SHIPPED', async (context) => {
    // A client that reads late finds several events in one piece, now and then. Of a gateway that keeps them to the end every
    // order has one piece only; and of an order that is SHIPPED before it is followed there is one event.
    let seen = await follow();
    let eventsMax = seen.events;
    for (let n = 1; n < FOLLOWED_MAX && seen.pieces === 1; n += 1) {
      seen = await follow();
      eventsMax = Math.max(eventsMax, seen.events);
    }
    if (eventsMax === 1) context.skip('every order was SHIPPED before it was followed');
    expect(seen.pieces).toBeGreaterThan(1);
  });

  it('the events of an order are its customer’s only, and read only', async () => {
    const customer = fresh('follower');
    const path = `/api/v1/orders/${await placed(customer)}/events`;
    expectProblem(await send(path), 401, 'UNAUTHENTICATED');
    expectProblem(await send(path, { lines: as(fresh('thief')) }), 404, 'ORDER_NOT_FOUND');
    const post = await send(path, { method: 'POST', lines: as(fresh('thief')), body: '' });
    expectProblem(post, 405, 'METHOD_NOT_ALLOWED');
    expect(post.headers.allow).toBe('GET, HEAD');
    const head = await send(path, { method: 'HEAD', lines: as(customer) });
    expect([head.status, head.headers['content-type'], head.text]).toEqual([200, 'text/event-stream', '']);
  });

  it.each(['/api/v1/orders', '/api/v1/products', '/graphql', '/ops/policies', '/'])(
    'no WebSocket opens at %s',
    async (path) => {
      const lines = ['connection', 'Upgrade', 'upgrade', 'websocket', 'sec-websocket-version', '13'];
      const key = ['sec-websocket-key', Buffer.from(randomUUID().slice(0, 16)).toString('base64')];
      const upgraded = await send(path, { lines: as(fresh('upgrade'), ...lines, ...key) });
      expect(upgraded.status).not.toBe(101);
    },
  );
});

describe('gRPC', () => {
  const { call, close } = grpcCaller(url);
  afterAll(close);
  const { getProduct, checkInventory, reserveStock } = ProductServiceService;

  const refusal = async (answer: Promise<unknown>): Promise<ServiceError> => {
    const error: unknown = await answer.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error instanceof Error && 'code' in error && 'metadata' in error) return error as ServiceError; // grpc-js rejects with no other
    throw new Error('the call was not refused', { cause: error });
  };

  it('a call with a token is answered by the product service, in all that it says', async () => {
    const authorization = bearer(fresh('caller'));
    expect((await call(getProduct, { productId }, { authorization })).product?.productId).toBe(productId);
    const asked = { productId, quantity: 1 };
    expect((await call(checkInventory, asked, { authorization })).inStock).toBe(true);
    const unknown = await refusal(call(getProduct, { productId: 'nothing' }, { authorization }));
    expect(unknown.code).toBe(status.NOT_FOUND);
    expect(unknown.metadata.get('parley-code')).toEqual(['PRODUCT_NOT_FOUND']);
  });

  it('a call without a token, or with a bad one, is UNAUTHENTICATED', async () => {
    expect((await refusal(call(getProduct, { productId }, {}))).code).toBe(status.UNAUTHENTICATED);
    const authorization = 'Bearer rubbish';
    expect((await refusal(call(getProduct, { productId }, { authorization }))).code).toBe(
      status.UNAUTHENTICATED,
    );
  });

  it('what only services may ask of each other is UNIMPLEMENTED for a client', async () => {
    const authorization = bearer(fresh('caller'));
    const request = { orderId: randomUUID(), productId, quantity: 1 };
    expect((await refusal(call(reserveStock, request, { authorization }))).code).toBe(status.UNIMPLEMENTED);
  });

  it('a call whose time is over is DEADLINE_EXCEEDED', async () => {
    const authorization = bearer(fresh('caller'));
    // An answer that is under way as the time ends comes all the same, or is cut off.
    const look = async (): Promise<true | undefined> => {
      const late = await refusal(call(getProduct, { productId }, { authorization, grpcTimeout: '1m' }));
      return late.code === status.DEADLINE_EXCEEDED ? true : undefined;
    };
    await waitFor('a call that is late', look, { deadlineMs: timeoutMs });
  });
});

/** Bursts until one fits into a second. On a slow machine none may: its window slides, and lets more through. */
const BURSTS_MAX = 5;
const limit = 100;

describe('the limit', () => {
  it('lets exactly 100 of a burst within a second through, tells the rest what to do, and leaves another client alone', async () => {
    const other = fresh('other');
    const burst = async () => {
      const lines = as(fresh('greedy'));
      const startedAtMs = performance.now();
      const answers = Array.from({ length: 130 }, () => send('/api/v1/orders?limit=1', { lines }));
      return { replies: await Promise.all(answers), lastedMs: performance.now() - startedAtMs };
    };
    let quickest = await burst();
    for (let n = 1; n < BURSTS_MAX && quickest.lastedMs >= 1_000; n += 1) {
      const another = await burst();
      if (another.lastedMs < quickest.lastedMs) quickest = another;
    }
    const { replies, lastedMs } = quickest;
    process.stdout.write(`a burst of ${replies.length} took ${Math.round(lastedMs)} ms\n`);
    const refused = replies.filter(({ status }) => status === 429);
    const through = replies.filter(({ status }) => status === 200).length;
    expect(through).toBeGreaterThanOrEqual(limit);
    expect(through).toBeLessThanOrEqual(limit * (1 + Math.floor(lastedMs / 1_000)));
    expect(refused).toHaveLength(replies.length - through);
    expect(refused.length).toBeGreaterThan(0);
    expect((await send('/api/v1/orders?limit=1', { lines: as(other) })).status).toBe(200);
    for (const reply of refused) {
      expectProblem(reply, 429, 'RATE_LIMITED');
      expect(reply.headers['retry-after']).toBe('1');
      expect(reply.headers['ratelimit-policy']).toBe('"client";q=100;w=1');
      expect(reply.headers.ratelimit).toMatch(/^"client";r=0;t=1$/);
    }
  });
});

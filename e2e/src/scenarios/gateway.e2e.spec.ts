import { randomUUID } from 'node:crypto';
import { errorCatalog } from '@parley/contracts/errors';
import {
  NotificationList,
  OrderPage,
  OrderResource,
  PaymentResource,
  Problem,
  ProductPage,
  ProductResource,
  ShipmentResource,
} from '@parley/contracts/rest';
import { exportJWK, generateKeyPair, importJWK, SignJWT, type JWK } from 'jose';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ask, Customer, type Answer } from '../client.ts';
import { evidence } from '../ledger/evidence.ts';
import { mintToken, pidOf, readStack } from '../stack.ts';
import { waitFor } from '../wait.ts';
import { untilWell } from '../well.ts';

const stack = readStack();
const { gateway } = stack.endpoints;
const productId = 'wool-door-stop';
const shippedDeadlineMs = 120_000;
const backDeadlineMs = 120_000;
/** After it, the gateway ends whatever does not move; what is answered sooner is so by its route's own time. */
const idleTimeoutMs = 30_000;
afterAll(() => untilWell(stack));

/** What only the right service answers: its own resource, about the thing that was asked for. */
interface Probe {
  readonly route: string;
  readonly service: string;
  readonly send: () => Promise<Answer>;
  readonly expected: z.ZodType;
  /** 200 when absent. */
  readonly status?: number;
}

/** The generated table: every route with its query, path and method variants, for the things of one customer. */
const probesOf = (customer: Customer, orderId: string): readonly Probe[] => {
  const about = (schema: z.ZodType): z.ZodType => schema.and(z.looseObject({ orderId: z.literal(orderId) }));
  const probe = (service: string, path: string, expected: z.ZodType, query = ''): Probe => ({
    route: `GET ${path}`,
    service,
    send: () => customer.ask(`${path.replace('{orderId}', orderId)}${query}`),
    expected,
  });
  const pageOf = (schema: z.ZodType, limit: number): z.ZodType =>
    schema.refine((page) => z.object({ items: z.array(z.unknown()).max(limit) }).safeParse(page).success);
  const product = ProductResource.and(z.looseObject({ productId: z.literal(productId) }));
  const graphql = `{ product(productId: "${productId}") { productId } }`;
  const asked = z.strictObject({
    data: z.strictObject({ product: z.strictObject({ productId: z.literal(productId) }) }),
  });
  const refused = (code: string): z.ZodType => z.looseObject({ code: z.literal(code) });
  return [
    ...[1, 5, 50].map((limit) =>
      probe('order', '/api/v1/orders', pageOf(OrderPage, limit), `?limit=${limit}`),
    ),
    probe('order', '/api/v1/orders/{orderId}', about(OrderResource)),
    ...[1, 2, 20].map((limit) =>
      probe('product', '/api/v1/products', pageOf(ProductPage, limit), `?limit=${limit}`),
    ),
    probe('product', `/api/v1/products/${productId}`, product),
    // Normalised on the way, so it leads to the same place.
    probe('product', `/api/v1//products/${productId}`, product),
    probe('payment', '/api/v1/payments/{orderId}', about(PaymentResource)),
    probe(
      'notification',
      '/api/v1/notifications/{orderId}',
      NotificationList.refine(({ items }) => items.every((item) => item.orderId === orderId)),
    ),
    probe('shipping', '/api/v1/shipments/{orderId}', about(ShipmentResource)),
    probe('product', '/graphql', asked, `?query=${encodeURIComponent(graphql)}`),
    {
      route: 'POST /graphql',
      service: 'product',
      send: () => customer.ask('/graphql', { method: 'POST', body: { query: graphql } }),
      expected: asked,
    },
    // Paths near a route that lead nowhere.
    ...[
      '/api/v1/order',
      '/api/v1/ordersx',
      '/api/v1/payments',
      `/api/v1/payments/${orderId}/x`,
      '/livez',
    ].map((path): Probe => ({ ...probe('gateway', path, refused('ROUTE_NOT_FOUND')), status: 404 })),
    ...[`/api/v1/payments/${orderId}`, `/api/v1/products/${productId}`].map((path): Probe => ({
      route: `POST ${path}`,
      service: 'gateway',
      send: () => customer.ask(path, { method: 'POST', body: {} }),
      expected: refused('METHOD_NOT_ALLOWED'),
      status: 405,
    })),
  ];
};

describe('routing', () => {
  it('1000 mixed requests of a generated table over every route reach what the path names, and nothing else (US3.1, FR-006, SC-004)', async (context) => {
    const customers = await Promise.all(Array.from({ length: 8 }, () => Customer.of(stack, 'routes')));
    const tables = await Promise.all(
      customers.map(async (customer) => {
        const { orderId } = await customer.ordered({ productId, quantity: 1 });
        await customer.status(orderId, 'SHIPPED', shippedDeadlineMs);
        return probesOf(customer, orderId);
      }),
    );
    const requests = 1000;
    const byService = new Map<string, number>();
    const routes = new Set<string>();
    const wrong: string[] = [];
    let next = 0;
    const worker = async (table: readonly Probe[]): Promise<void> => {
      while (next < requests) {
        const probe = table[next++ % table.length];
        if (probe === undefined) return;
        const answer = await probe.send();
        routes.add(probe.route.replace(/[0-9a-f-]{36}/, '{orderId}'));
        if (answer.status === (probe.status ?? 200) && probe.expected.safeParse(answer.body).success)
          byService.set(probe.service, (byService.get(probe.service) ?? 0) + 1);
        else wrong.push(`${probe.route}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 200)}`);
      }
    };
    await Promise.all(tables.map(worker));
    expect(wrong).toEqual([]);
    expect([...byService.values()].reduce((sum, count) => sum + count, 0)).toBe(requests);
    expect(byService.size).toBe(6);
    evidence(context, ['US3.1', 'FR-006', 'SC-004'], {
      requests,
      misrouted: wrong.length,
      kindsOfRequest: tables[0]?.length,
      routes: [...routes].sort(),
      answeredBy: Object.fromEntries(byService),
      refusedForTheirRate: customers.reduce((sum, { refusals }) => sum + refusals, 0),
    });
  });

  it('a backend that is down is 503 with a code and when to come back, and is back by itself (EC-3)', async (context) => {
    const customer = await Customer.of(stack, 'down');
    const path = `/api/v1/payments/${randomUUID()}`;
    expect((await customer.ask(path)).status).toBe(404); // payment answers: it knows no such order
    const kill = (): void => {
      try {
        process.kill(pidOf(stack, 'payment'), 'SIGKILL');
      } catch {
        // it does not run at the moment
      }
    };
    kill();
    const killedAt = performance.now();
    const ofStatus = (status: number) => async (): Promise<Answer | undefined> => {
      const answer = await customer.ask(path);
      return answer.status === status ? answer : undefined;
    };
    const noticed = async (): Promise<Answer | undefined> => {
      const answer = await ofStatus(503)();
      if (answer === undefined) kill(); // it was started again before anybody asked
      return answer;
    };
    const refused = await waitFor('the gateway to notice', noticed, {
      deadlineMs: backDeadlineMs,
      intervalMs: 10,
    });
    const problem = Problem.parse(refused.body);
    expect(refused.headers.get('content-type')).toBe('application/problem+json');
    expect(problem).toMatchObject({ status: 503, code: 'BACKEND_UNAVAILABLE' });
    expect(problem.title).toBe(errorCatalog.BACKEND_UNAVAILABLE.title);
    expect(problem.correlationId).toBe(refused.headers.get('x-correlation-id'));
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    await waitFor('payment to answer again', ofStatus(404), { deadlineMs: backDeadlineMs });
    evidence(context, ['EC-3'], {
      problem,
      retryAfterSeconds: Number(refused.headers.get('retry-after')),
      refusedAfterMs: refused.latencyMs,
      answersAgainAfterMs: Math.round(performance.now() - killedAt),
    });
  });

  it('a backend that takes the request and answers nothing is 504 when its route’s time is over, and nobody else waits (EC-3)', async (context) => {
    const customer = await Customer.of(stack, 'hanging');
    const path = `/api/v1/shipments/${randomUUID()}`;
    const pid = pidOf(stack, 'shipping');
    process.kill(pid, 'SIGSTOP'); // the kernel still takes connections for it
    try {
      const [hanging, other] = await Promise.all([
        customer.ask(path),
        customer.ask('/api/v1/products?limit=1'),
      ]);
      expect(hanging.headers.get('content-type')).toBe('application/problem+json');
      expect(Problem.parse(hanging.body)).toMatchObject({ status: 504, code: 'DEADLINE_EXCEEDED' });
      expect(hanging.latencyMs).toBeLessThan(idleTimeoutMs);
      expect(other.status).toBe(200);
      expect(other.latencyMs).toBeLessThan(hanging.latencyMs);
      evidence(context, ['EC-3'], {
        problem: Problem.parse(hanging.body),
        answeredAfterMs: hanging.latencyMs,
        otherRouteAnsweredAfterMs: other.latencyMs,
      });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    const answers = async (): Promise<true | undefined> =>
      (await customer.ask(path)).status === 404 ? true : undefined;
    await waitFor('shipping to answer again', answers, { deadlineMs: backDeadlineMs });
  });
});

const nowSeconds = (): number => Math.floor(Date.now() / 1000);

/** Signed with a key of the attacker's own, under the key id that the gateway knows. */
const forged = async (alg: 'RS256' | 'HS256', sub: string): Promise<string> => {
  const claims = { sub, iss: 'parley-dev', aud: 'parley-api', iat: nowSeconds(), exp: nowSeconds() + 600 };
  const { kid } = decodeHeader(await mintToken(stack, { sub }));
  const own: JWK =
    alg === 'HS256'
      ? { kty: 'oct', k: Buffer.from('a secret that is long enough for HS256').toString('base64url') }
      : await exportedRsaKey();
  return new SignJWT(claims).setProtectedHeader({ alg, kid }).sign(await importJWK(own, alg));
};
const exportedRsaKey = async (): Promise<JWK> =>
  exportJWK((await generateKeyPair('RS256', { extractable: true })).privateKey);
const decodeHeader = (token: string): { kid: string } =>
  z
    .object({ kid: z.string() })
    .parse(JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString('utf8')));
const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const badTokens = async (): Promise<Readonly<Record<string, string | undefined>>> => {
  const sub = `mallory-${randomUUID()}`;
  const good = await mintToken(stack, { sub });
  const [head = '', body = '', signature = ''] = good.split('.');
  return {
    'no token': undefined,
    'not a token': 'Bearer rubbish',
    'another scheme': `Basic ${good}`,
    expired: `Bearer ${await mintToken(stack, { sub, exp: nowSeconds() - 60 })}`,
    'not valid yet': `Bearer ${await mintToken(stack, { sub, nbf: nowSeconds() + 600 })}`,
    'without an end': `Bearer ${await mintToken(stack, { sub, exp: undefined })}`,
    'of another issuer': `Bearer ${await mintToken(stack, { sub, iss: 'someone-else' })}`,
    'for another audience': `Bearer ${await mintToken(stack, { sub, aud: 'another-api' })}`,
    'for no audience': `Bearer ${await mintToken(stack, { sub, aud: undefined })}`,
    'of no subject': `Bearer ${await mintToken(stack, { sub: '' })}`,
    'of a subject with a blank around it': `Bearer ${await mintToken(stack, { sub: ` ${sub}` })}`,
    'of another key': `Bearer ${await forged('RS256', sub)}`,
    'of a symmetric key': `Bearer ${await forged('HS256', sub)}`,
    'unsigned (alg none)': `Bearer ${base64url({ alg: 'none', typ: 'JWT' })}.${body}.`,
    'with changed claims': `Bearer ${head}.${base64url({ sub: 'alice', iss: 'parley-dev', aud: 'parley-api', exp: nowSeconds() + 600 })}.${signature}`,
  };
};

describe('tokens', () => {
  it('every protected route refuses every kind of bad token, always (US3.3, FR-008, SC-006)', async (context) => {
    const id = randomUUID();
    const wish = { method: 'POST', body: { productId, quantity: 1 } };
    const protectedRoutes = {
      'POST /api/v1/orders': ['/api/v1/orders', wish],
      'GET /api/v1/orders': ['/api/v1/orders', {}],
      'GET /api/v1/orders/{id}': [`/api/v1/orders/${id}`, {}],
      'GET /api/v1/payments/{orderId}': [`/api/v1/payments/${id}`, {}],
      'GET /api/v1/notifications/{orderId}': [`/api/v1/notifications/${id}`, {}],
      'GET /api/v1/shipments/{orderId}': [`/api/v1/shipments/${id}`, {}],
    } as const;
    const tokens = await badTokens();
    let refused = 0;
    for (const [route, [path, request]] of Object.entries(protectedRoutes)) {
      for (const [kind, authorization] of Object.entries(tokens)) {
        const headers = authorization === undefined ? {} : { authorization };
        const answer = await ask(`${gateway.url}${path}`, { ...request, headers });
        const problem = Problem.safeParse(answer.body).data;
        expect([answer.status, problem?.code], `${route} with a token ${kind}`).toEqual([
          401,
          'UNAUTHENTICATED',
        ]);
        expect(answer.headers.get('content-type')).toBe('application/problem+json');
        expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer realm=/);
        refused += 1;
      }
    }
    expect(refused).toBe(Object.keys(protectedRoutes).length * Object.keys(tokens).length);
    evidence(context, ['US3.3', 'FR-008', 'SC-006'], {
      refused,
      accepted: 0,
      kindsOfToken: Object.keys(tokens),
      routes: Object.keys(protectedRoutes),
    });
  });

  it('a valid token reaches the service as its subject, whoever the client claims to be (US3.4, FR-008)', async (context) => {
    const [customer, victim] = await Promise.all([Customer.of(stack, 'valid'), Customer.of(stack, 'victim')]);
    const answer = await customer.order({ productId, quantity: 1, headers: { 'x-user-id': victim.sub } });
    expect(answer.status).toBe(201);
    const order = OrderResource.parse(answer.body);
    expect(order.customerId).toBe(customer.sub);
    expect((await victim.read('/api/v1/orders', OrderPage)).items).toEqual([]);
    await customer.status(order.orderId, 'SHIPPED', shippedDeadlineMs);
    evidence(context, ['US3.4', 'FR-008'], {
      orderId: order.orderId,
      status: answer.status,
      subject: customer.sub,
      customerId: order.customerId,
    });
  });
});

import { randomUUID } from 'node:crypto';
import { serviceNames } from '@parley/contracts/endpoints';
import { errorCatalog } from '@parley/contracts/errors';
import { OrderPage, OrderResource, Problem } from '@parley/contracts/rest';
import { exportJWK, generateKeyPair, importJWK, SignJWT, type JWK } from 'jose';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ask, Customer, type Answer } from '../client.ts';
import { probesOf, whoHasOrdered, type Probe } from '../gateway-probes.ts';
import { routesInForce, routesTaken } from '../gateway-routes.ts';
import { grpcCaller } from '../grpc-caller.ts';
import { evidence } from '../ledger/evidence.ts';
import { mintToken, pidOf, readStack } from '../stack.ts';
import { waitFor } from '../wait.ts';
import { untilWell } from '../well.ts';

const stack = readStack();
const { gateway } = stack.endpoints;
const productId = 'wool-door-stop';
const shippedDeadlineMs = 120_000;
const backDeadlineMs = 120_000;
/** Of the gateway's routes that read, and what a busy machine takes besides. */
const [readTimeoutMs, machineAllowanceMs] = [5_000, 5_000];
const grpc = grpcCaller(gateway.url);
afterAll(grpc.close);
afterAll(() => untilWell(stack));

const ClustersDump = z.object({
  configs: z.array(
    z.looseObject({
      cluster: z.looseObject({
        name: z.string(),
        typed_extension_protocol_options: z.record(
          z.string(),
          z.looseObject({ common_http_protocol_options: z.looseObject({ idle_timeout: z.string() }) }),
        ),
      }),
    }),
  ),
});

/** How long the gateway keeps an idle connection to each upstream. */
const idleSecondsOf = async (adminUrl: string): Promise<ReadonlyMap<string, number>> => {
  const { body } = await ask(`${adminUrl}/config_dump?resource=static_clusters`);
  return new Map(
    ClustersDump.parse(body).configs.map(
      ({ cluster: { name, typed_extension_protocol_options: options } }) => [
        name,
        Number.parseFloat(Object.values(options)[0]?.common_http_protocol_options.idle_timeout ?? ''),
      ],
    ),
  );
};

describe('routing', () => {
  it('1000 mixed requests of a generated table over every route reach what the path names, and nothing else (US3.1, FR-006, SC-004)', async (context) => {
    const everyone = await Promise.all(Array.from({ length: 8 }, () => whoHasOrdered(stack)));
    const tables = everyone.map((ordered) => probesOf(ordered, grpc));
    const requests = 1000;
    const byService = new Map<string, number>();
    const sent = new Map<string, Probe>();
    const wrong: string[] = [];
    let next = 0;
    const worker = async (table: readonly Probe[]): Promise<void> => {
      while (next < requests) {
        const probe = table[next++ % table.length];
        if (probe === undefined) return;
        const correlationId = `routes-${randomUUID()}`;
        sent.set(correlationId, probe);
        const { status, body } = await probe.send(correlationId);
        if (status === probe.status && probe.expected.safeParse(body).success)
          byService.set(probe.service, (byService.get(probe.service) ?? 0) + 1);
        else wrong.push(`${probe.method} ${probe.path}: ${status} ${JSON.stringify(body).slice(0, 200)}`);
      }
    };
    await Promise.all(tables.map(worker));
    expect(wrong).toEqual([]);
    expect([...byService.values()].reduce((sum, count) => sum + count, 0)).toBe(requests);
    expect(byService.size).toBe(6);
    const taken = await routesTaken(stack, [...sent.keys()]);
    const astray = [...sent].filter(([id, { route }]) => taken.get(id) !== route);
    expect(astray.map(([id, { method, path }]) => `${method} ${path}: ${String(taken.get(id))}`)).toEqual([]);
    const forwarded = [...sent.values()].filter(({ service }) => service !== 'gateway');
    const covered = [...new Set(forwarded.map(({ method, route }) => `${method} ${String(route)}`))].sort();
    expect(covered).toEqual((await routesInForce(gateway.admin)).toSorted());
    evidence(context, ['US3.1', 'FR-006', 'SC-004'], {
      requests,
      misrouted: wrong.length + astray.length,
      kindsOfRequest: tables[0]?.length,
      routes: covered,
      answeredBy: Object.fromEntries(byService),
      refusedForTheirRate: everyone.reduce((sum, { customer }) => sum + customer.refusals, 0),
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
    expect(refused.latencyMs).toBeLessThan(readTimeoutMs + machineAllowanceMs);
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
      expect(hanging.latencyMs).toBeLessThan(readTimeoutMs + machineAllowanceMs);
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

  it('an idle connection to a service is closed by the gateway first, so that none is closed under a request on its way', async () => {
    const idleSeconds = await idleSecondsOf(gateway.admin);
    for (const service of serviceNames) {
      const { headers } = await ask(`${stack.endpoints[service].http}/nowhere`);
      const keptSeconds = Number(/timeout=(\d+)/.exec(headers.get('keep-alive') ?? '')?.[1]);
      expect(idleSeconds.get(service), service).toBeLessThan(keptSeconds);
    }
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
      'GET /api/v1/orders/{id}/events': [`/api/v1/orders/${id}/events`, {}],
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

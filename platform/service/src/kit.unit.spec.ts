import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { request as httpRequest } from 'node:http';
import { context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { captureSpans } from '../testing/index.ts';
import { parseConfig, serviceConfigShape } from './config.ts';
import { currentContext, runInContext } from './context.ts';
import type { ErrorDefinition } from './errors.ts';
import { createPolicy, type Policy } from './policy.ts';
import { createRestClient } from './rest-client.ts';
import { createService, type Service } from './service.ts';

const define = (httpStatus: number, grpcStatus: number): ErrorDefinition => ({
  title: `status ${httpStatus}`,
  httpStatus,
  grpcStatus,
  retryable: false,
});
const errors = {
  MALFORMED_REQUEST: define(400, 3),
  VALIDATION_FAILED: define(400, 3),
  UNAUTHENTICATED: define(401, 16),
  ROUTE_NOT_FOUND: define(404, 12),
  METHOD_NOT_ALLOWED: define(405, 12),
  CONFLICT: define(409, 10),
  PAYLOAD_TOO_LARGE: define(413, 3),
  UNSUPPORTED_MEDIA_TYPE: define(415, 3),
  INTERNAL: define(500, 13),
  NOT_READY: define(503, 14),
  DEADLINE_EXCEEDED: define(504, 4),
};
const config = {
  PARLEY_HOST: '127.0.0.1',
  HTTP_PORT: 0,
  OPS_PORT: 0,
  LOG_LEVEL: 'info',
  SHUTDOWN_DEADLINE_MS: 2_000,
} as const;

const started: Service[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((service) => service.stop()));
});

const build = (httpDeadlineMs = 2_000) => {
  const lines: string[] = [];
  const spans = captureSpans();
  const service = createService({
    name: 'kit',
    config,
    errors,
    httpDeadlineMs,
    ownsProcess: false,
    spanProcessors: [spans.processor],
    logDestination: { write: (line) => void lines.push(line) },
  });
  started.push(service);
  return { service, spans, lines };
};

const post = (body: string, type = 'application/json'): RequestInit => ({
  method: 'POST',
  body,
  headers: { 'content-type': type, 'content-length': String(Buffer.byteLength(body)) },
});

const problemOf = async (response: Response): Promise<unknown> => {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  return response.json();
};

describe('configuration', () => {
  it('names every key that is missing or wrong, and repeats no value', () => {
    const parsed = parseConfig(z.object(serviceConfigShape), {
      HTTP_PORT: 'secret',
      OPS_PORT: '',
      GRPC_PORT: '70000',
    });
    expect(parsed.ok).toBe(false);
    const problems = parsed.ok ? [] : parsed.problems;
    expect(problems.map((problem) => problem.split(':')[0])).toEqual(
      expect.arrayContaining(['HTTP_PORT', 'OPS_PORT', 'GRPC_PORT', 'KAFKA_BOOTSTRAP', 'REGISTRY_URL']),
    );
    expect(problems.join()).not.toContain('secret');
  });
});

describe('context', () => {
  it('follows awaits, continues a remote trace and replaces a malformed correlation id', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    await runInContext(
      { correlationId: 'c-1', traceparent: `00-${traceId}-b7ad6b7169203331-01` },
      async () => {
        await Promise.resolve();
        expect(currentContext().correlationId).toBe('c-1');
        expect(trace.getSpanContext(context.active())?.traceId).toBe(traceId);
      },
    );
    runInContext({ correlationId: 'a\nb' }, () => {
      expect(currentContext().correlationId).toMatch(/^[0-9a-f-]{36}$/);
    });
  });
});

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
    const kit = build(50);
    mount(kit);
    const response = await kit.service.http.request(path, init);
    expect(response.status).toBe(status);
    const problem = await problemOf(response);
    expect(problem).toMatchObject({ status, code, correlationId: response.headers.get('x-correlation-id') });
    expect(JSON.stringify(problem)).not.toContain('secret');
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
});

describe('a guard', () => {
  const guarded = () => {
    const kit = build(1_000);
    const left: number[] = [];
    kit.service.http.post('/things', (c) => c.text('done'));
    kit.service.guard(({ header, leftMs }) => {
      left.push(leftMs);
      const refused = header('x-refuse') === 'yes';
      return Promise.resolve(
        refused ? { code: 'NOT_READY', detail: 'not now', retryAfterSeconds: 1 } : undefined,
      );
    });
    return { kit, left };
  };

  it('refuses a request by its headers, also when it was set after the routes', async () => {
    const { kit, left } = guarded();
    expect((await kit.service.http.request('/things', { method: 'POST' })).status).toBe(200);
    const refused = await kit.service.http.request('/things', {
      method: 'POST',
      headers: { 'x-refuse': 'yes' },
    });
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await problemOf(refused)).toMatchObject({ status: 503, code: 'NOT_READY', detail: 'not now' });
    // What is left is less than the deadline: a refusal after it would not reach anyone.
    for (const leftMs of left) expect(leftMs).toBeLessThanOrEqual(800);
  });

  it('refuses a call by its metadata, and a call let through may answer metadata of its own', async () => {
    const { kit } = guarded();
    const bytesOf = (text: string): Buffer => Buffer.from(text);
    const echo = {
      path: '/kit.Echo/say',
      requestStream: false,
      responseStream: false,
      requestSerialize: bytesOf,
      requestDeserialize: String,
      responseSerialize: bytesOf,
      responseDeserialize: String,
    } as const;
    kit.service.grpc.add(
      { say: echo },
      {
        say: (request: string, call) => {
          call.respondWith('x-said', request);
          return request;
        },
      },
    );
    await kit.service.run(() => undefined);
    const client = new Client(`127.0.0.1:${kit.service.ports.grpc ?? 0}`, credentials.createInsecure());
    const say = async (metadata: Metadata): Promise<{ said: unknown; ahead: unknown }> => {
      const ahead = Promise.withResolvers<unknown>();
      const said = Promise.withResolvers<unknown>();
      const deadline = { deadline: Date.now() + 2_000 };
      client
        .makeUnaryRequest(echo.path, echo.requestSerialize, String, 'hello', metadata, deadline, (e, r) => {
          if (e === null) said.resolve(r);
          else said.reject(e);
        })
        .on('metadata', (received: Metadata) => {
          ahead.resolve(received.get('x-said')[0]);
        });
      return { said: await said.promise, ahead: await ahead.promise };
    };
    expect(await say(new Metadata())).toEqual({ said: 'hello', ahead: 'hello' });
    const refused = new Metadata();
    refused.set('x-refuse', 'yes');
    await expect(say(refused)).rejects.toMatchObject({ code: 14, details: 'not now' });
    client.close();
  });
});

describe('the operations server', () => {
  it('answers the routes that parts of a service bring along, and what they refuse as problems', async () => {
    const kit = build();
    kit.service.addOps([
      {
        method: 'GET',
        path: '/ops/things/:name/parts',
        answer: ({ params, query }) => {
          if (params.name === 'gone') return Promise.resolve({ kind: 'not-found', detail: 'gone' });
          if (query.limit === 'x') return Promise.resolve({ kind: 'invalid', detail: 'no number' });
          return Promise.resolve({ kind: 'ok', body: { params, query } });
        },
      },
    ]);
    await kit.service.run(() => undefined);
    const url = `http://127.0.0.1:${kit.service.ports.ops ?? 0}/ops/things`;
    const answer = await fetch(`${url}/a%20b/parts?limit=3&after=%C3%A4`);
    expect(await answer.json()).toEqual({ params: { name: 'a b' }, query: { limit: '3', after: 'ä' } });
    const missing = await fetch(`${url}/gone/parts`);
    expect(missing.status).toBe(404);
    expect(await problemOf(missing)).toMatchObject({ code: 'ROUTE_NOT_FOUND', detail: 'gone' });
    expect(await problemOf(await fetch(`${url}/a/parts?limit=x`))).toMatchObject({
      code: 'VALIDATION_FAILED',
    });
  });
});

describe('the REST client', () => {
  it('tells answers, refusals and absence apart, and carries trace and correlation', async () => {
    const kit = build();
    kit.service.http.get('/seen', (c) => c.json({ correlationId: currentContext().correlationId }));
    await kit.service.run(() => undefined);
    const policy = createPolicy({ name: 'peer', timeoutMs: 1_000 });
    const client = createRestClient({
      peer: 'kit',
      baseUrl: `http://127.0.0.1:${kit.service.ports.http ?? 0}`,
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
    const absent = createRestClient({ peer: 'kit', baseUrl: 'http://127.0.0.1:1', policy });
    expect(await absent.request(request)).toEqual({ kind: 'unavailable', reason: 'unreachable' });
  });
});

describe('a policy', () => {
  it('retries up to its number of attempts', async () => {
    const policy = createPolicy({
      name: 'p',
      timeoutMs: 100,
      retry: { attempts: 2, initialDelayMs: 1, maxDelayMs: 2 },
    });
    let calls = 0;
    const failing = policy.execute(() => Promise.reject(new Error(`attempt ${++calls}`)));
    await expect(failing).rejects.toThrow('attempt 3');
  });

  it('opens its breaker after failures in a row and refuses at once', async () => {
    const policy = createPolicy({
      name: 'p',
      timeoutMs: 100,
      breaker: { consecutiveFailures: 2, halfOpenAfterMs: 60_000 },
    });
    const fail = (): Promise<never> => policy.execute(() => Promise.reject(new Error('down')));
    await expect(fail()).rejects.toThrow('down');
    await expect(fail()).rejects.toThrow('down');
    expect(policy.breakerState()).toBe('open');
    await expect(fail()).rejects.toMatchObject({ reason: 'breaker-open' });
  });

  const never = (): Promise<never> => new Promise(() => undefined);
  const opened = async (timeoutMs = 100) => {
    const breaker = { consecutiveFailures: 1, halfOpenAfterMs: 10 };
    const policy = createPolicy({ name: 'p', timeoutMs, breaker });
    await expect(policy.execute(() => Promise.reject(new Error('down')))).rejects.toThrow('down');
    return policy;
  };
  const probing = async (policy: Policy, probe: () => Promise<unknown>, signal?: AbortSignal) => {
    const started = Promise.withResolvers<undefined>();
    let outcome: Promise<unknown> = Promise.resolve();
    await vi.waitFor(async () => {
      outcome = policy.execute(() => {
        started.resolve(undefined);
        return probe();
      }, signal);
      outcome.catch(() => undefined); // asserted by the caller
      await Promise.race([started.promise, outcome]);
    });
    return { outcome };
  };

  it('refuses everyone else at once while its probe is under way, and closes when the probe succeeds', async () => {
    const policy = await opened(5_000);
    const release = Promise.withResolvers<string>();
    const { outcome } = await probing(policy, () => release.promise);
    expect(policy.breakerState()).toBe('half-open');
    const startedAtMs = performance.now();
    await expect(policy.execute(never)).rejects.toMatchObject({ reason: 'breaker-open' });
    expect(performance.now() - startedAtMs).toBeLessThan(50);
    release.resolve('well');
    expect(await outcome).toBe('well');
    expect(policy.breakerState()).toBe('closed');
  });

  it('is not closed by a probe whose caller gave up', async () => {
    const policy = await opened(5_000);
    const caller = new AbortController();
    const { outcome } = await probing(policy, never, caller.signal);
    caller.abort();
    await expect(outcome).rejects.toMatchObject({ reason: 'timeout' });
    expect(policy.breakerState()).toBe('open');
  });

  it('does not hold against a peer that its caller ran out of time', async () => {
    const breaker = { consecutiveFailures: 1, halfOpenAfterMs: 60_000 };
    const retry = { attempts: 2, initialDelayMs: 1, maxDelayMs: 2 };
    const policy = createPolicy({ name: 'p', timeoutMs: 5_000, breaker, retry });
    let calls = 0;
    const call = (deadlineAtMs: number) =>
      runInContext({ deadlineAtMs }, () =>
        policy.execute((signal) => {
          calls += 1;
          return new Promise((_resolve, reject) => {
            const left = AbortSignal.any([signal, AbortSignal.timeout(deadlineAtMs - Date.now())]);
            left.addEventListener('abort', () => {
              reject(new Error('no answer in what was left'));
            });
          });
        }),
      );
    await expect(call(Date.now() + 30)).rejects.toMatchObject({ reason: 'timeout' });
    await expect(call(Date.now() - 1)).rejects.toMatchObject({ reason: 'timeout' });
    expect(calls).toBe(1);
    expect(policy.breakerState()).toBe('closed');
  });

  it('ends an attempt at its timeout', async () => {
    const policy = createPolicy({ name: 'p', timeoutMs: 20 });
    await expect(policy.execute(() => new Promise(() => undefined))).rejects.toMatchObject({
      reason: 'timeout',
    });
  });
});

it('propagates a W3C trace context', () => {
  const extracted = propagation.extract(ROOT_CONTEXT, {
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  });
  expect(trace.getSpanContext(extracted)?.spanId).toBe('b7ad6b7169203331');
});

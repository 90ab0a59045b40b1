/** A service that is made to fail, over real sockets. */
import { describe, expect, it } from 'vitest';
import { kitCatalog } from '../../testing/catalog.ts';
import { echo } from '../../testing/echo.ts';
import { build, problemOf } from '../../testing/kit.ts';
import { grpcInstances, staticResolve } from '../discovery/static.ts';
import { createGrpcClient } from '../grpc/client.ts';
import { createPolicy } from '../policy/policy.ts';
import { FaultInjector } from './injector.ts';

/** `hangMs` is what a call that hangs takes, and the time that a call has which does not. */
const start = async ({ faults = true, hangMs = 5_000 } = {}) => {
  const { service } = build({ faults, httpDeadlineMs: hangMs });
  service.http.get('/things/:id', (c) => c.json({ id: c.req.param('id') }));
  service.http.get('/others', (c) => c.text('well'));
  service.grpc.add(echo, { say: (request) => request });
  await service.run(() => undefined);
  const http = `http://127.0.0.1:${service.ports.http ?? 0}`;
  const ops = `http://127.0.0.1:${service.ports.ops ?? 0}/ops/faults`;
  const set = (...list: readonly object[]) =>
    fetch(ops, { method: 'PUT', body: JSON.stringify({ faults: list }) });
  const say = async () => {
    const resolve = staticResolve(grpcInstances('kit', [`127.0.0.1:${service.ports.grpc ?? 0}`]));
    const policy = createPolicy({ name: 'kit', timeoutMs: hangMs });
    const options = { peer: 'kit', resolve, deadlineMs: hangMs, policy, errors: kitCatalog, idempotent: [] };
    const client = createGrpcClient({ service: echo }, options);
    const answer = await client.say({ text: 'hello' });
    client.close();
    return answer.kind === 'unavailable' ? answer.reason : answer.kind;
  };
  return { http, ops, set, say };
};

describe('faults on purpose', () => {
  it('answer with a status and without a code, for so many calls of a route', async () => {
    const { http, set } = await start();
    await set({ route: 'GET /things/:id', status: 500, calls: 2 });
    const statuses = [];
    for (let n = 0; n < 3; n += 1) statuses.push((await fetch(`${http}/things/${n}`)).status);
    expect(statuses).toEqual([500, 500, 200]);
    await set({ route: 'GET /things/:id' });
    const failed = await fetch(`${http}/things/1`);
    expect(failed.status).toBe(503);
    expect(await problemOf(failed)).not.toHaveProperty('code');
    expect((await fetch(`${http}/others`)).status).toBe(200);
  });

  it('last as long as they say', async () => {
    let nowMs = 0;
    const injector = new FaultInjector({ now: () => nowMs });
    injector.set([{ latencyMs: 0, failure: 'error', status: 503, errorRate: 1, forMs: 200 }]);
    nowMs = 199;
    expect(await injector.meet('GET /')).toEqual({ kind: 'error', status: 503 });
    nowMs = 200;
    expect(await injector.meet('GET /')).toBeUndefined();
    expect(injector.status()).toEqual([]);
  });

  it('are gone when they are taken away', async () => {
    const { http, set, ops } = await start();
    await set({});
    expect((await fetch(`${http}/others`)).status).toBe(503);
    expect(await (await fetch(ops)).json()).toMatchObject({ faults: [{ failure: 'error', errorRate: 1 }] });
    await set();
    expect((await fetch(`${http}/others`)).status).toBe(200);
  });

  it('wait, hang until the deadline, and cut the connection', async () => {
    const hangMs = 1_000;
    const { http, set } = await start({ hangMs });
    await set({ failure: 'none', latencyMs: 100 });
    let startedAtMs = performance.now();
    expect((await fetch(`${http}/others`)).status).toBe(200);
    expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(99);
    await set({ failure: 'hang' });
    startedAtMs = performance.now();
    expect((await fetch(`${http}/others`)).status).toBe(504);
    expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(hangMs - 5);
    await set({ failure: 'reset' });
    await expect(fetch(`${http}/others`)).rejects.toThrow();
  });

  it('befall gRPC methods, too', async () => {
    const { set, say } = await start({ hangMs: 1_000 });
    const route = echo.say.path;
    expect(await say()).toBe('ok');
    await set({ route, status: 503 });
    expect(await say()).toBe('unreachable');
    await set({ route, failure: 'hang' });
    expect(await say()).toBe('timeout');
    await set({ route, failure: 'reset' });
    expect(await say()).toBe('unreachable');
    await set({ route: '/another.Service/Method' });
    expect(await say()).toBe('ok');
  });

  it('fail the share of the calls that they are told, by the numbers drawn', async () => {
    const draws = [0.1, 0.3, 0.29, 0.9];
    const injector = new FaultInjector({ random: () => draws.shift() ?? 1 });
    const fault = { latencyMs: 0, failure: 'error', status: 500, errorRate: 0.3 } as const;
    injector.set([fault]);
    const befallen = [];
    for (let n = 0; n < 4; n += 1) befallen.push(await injector.meet('GET /'));
    expect(befallen).toEqual([
      { kind: 'error', status: 500 },
      { kind: 'none' },
      { kind: 'error', status: 500 },
      { kind: 'none' },
    ]);
  });

  it.each([[{ status: 200 }], [{ errorRate: 2 }], [{ failure: 'explode' }], [{ typo: 1 }], [{ calls: 0 }]])(
    'that cannot be are refused, and change nothing: %j',
    async (fault) => {
      const { set, http } = await start();
      const refused = await set(fault);
      expect(await problemOf(refused)).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
      expect((await fetch(`${http}/others`)).status).toBe(200);
    },
  );

  it('are not to be had outside development', async () => {
    const { set, http } = await start({ faults: false });
    expect((await set({})).status).toBe(404);
    expect((await fetch(`${http}/others`)).status).toBe(200);
  });
});

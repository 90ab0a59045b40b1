import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectProblem, startTestGateway, type TestGateway } from '../../testing/test-gateway.ts';
import { mintToken } from '../dev-keys.ts';
import { gatewayPolicy, type GatewayPolicy } from '../policy/policy.ts';

const requests = 20;
/** No request leaves it within a test. */
const windowSeconds = 600;
/** In the test that slides it: as much as an idle machine needs, doubled for as long as it is too little. */
const [slidingSecondsMin, slidingSecondsMax] = [2, 64];
const withWindow = (seconds: number): GatewayPolicy => ({
  ...gatewayPolicy,
  limits: { client: { requests, windowSeconds: seconds }, clientsMax: 30 },
});
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ policy: withWindow(windowSeconds) });
});
afterAll(() => gateway.stop());

let subjects = 0;
const someone = async (): Promise<RequestInit> => {
  const sub = `someone-${String(++subjects)}`;
  const token = await mintToken({ privateKeyPath: gateway.keys.privateKeyPath, sub, ttlSeconds: 3600 });
  return { headers: { authorization: `Bearer ${token}` } };
};
const statuses = async (count: number, init: RequestInit, path = '/api/v1/orders'): Promise<number[]> =>
  Promise.all(
    Array.from({ length: count }, async () => {
      const response = await gateway.ask(path, init);
      await response.arrayBuffer();
      return response.status;
    }),
  );
const countOf = (all: readonly number[], status: number): number =>
  all.filter((each) => each === status).length;

describe('a limit for each client', () => {
  it('lets exactly as many through at once as it says, and refuses the rest with what to do', async () => {
    const init = await someone();
    const all = await statuses(requests + 15, init);
    expect([countOf(all, 200), countOf(all, 429)]).toEqual([requests, 15]);
    const refused = await gateway.ask('/api/v1/orders', init);
    expect(refused.headers.get('ratelimit')).toMatch(/^"client";r=0;t=[1-9]\d*$/);
    expect(refused.headers.get('ratelimit-policy')).toBe(`"client";q=${requests};w=${windowSeconds}`);
    const retryAfterSeconds = Number(refused.headers.get('retry-after'));
    expect(retryAfterSeconds).toBeGreaterThan(0);
    expect(retryAfterSeconds).toBeLessThanOrEqual(windowSeconds);
    await expectProblem(refused, 'RATE_LIMITED');
  });

  it('tells on every answer what is left', async () => {
    const init = await someone();
    for (const left of [requests - 1, requests - 2]) {
      const { headers } = await gateway.ask('/api/v1/orders', init);
      expect(headers.get('ratelimit')).toMatch(new RegExp(`^"client";r=${String(left)};t=[1-9]\\d*$`));
    }
  });

  it('is one for all routes, open ones too, and a user is the same on both', async () => {
    const init = await someone();
    expect(countOf(await statuses(requests / 2, init), 200)).toBe(requests / 2);
    expect(countOf(await statuses(requests / 2, init, '/api/v1/products'), 200)).toBe(requests / 2);
    expect(await statuses(1, init, '/graphql')).toEqual([429]);
  });

  it('of one client never uses up another’s, and one without a token is its address', async () => {
    const [greedy, modest] = [await someone(), await someone()];
    expect(countOf(await statuses(3 * requests, greedy), 200)).toBe(requests);
    expect(await statuses(5, modest)).toEqual([200, 200, 200, 200, 200]);
    const nameless = await statuses(requests + 5, {}, '/api/v1/products');
    expect([countOf(nameless, 200), countOf(nameless, 429)]).toEqual([requests, 5]);
    const claimed = {
      headers: { 'x-user-id': 'mallory', 'x-forwarded-for': '10.1.2.3', 'x-real-ip': '10.1.2.3' },
    };
    expect(await statuses(1, claimed, '/api/v1/products')).toEqual([429]);
    expect(await statuses(1, { headers: { authorization: 'Bearer rubbish' } }, '/api/v1/products')).toEqual([
      429,
    ]);
    expect(await statuses(1, modest, '/api/v1/products')).toEqual([200]);
  });

  it('slides: who has used it up gets through again as its own requests leave the window', async () => {
    const jwks = await readFile(gateway.keys.jwksPath, 'utf8');
    const half = requests / 2;
    /** How many get through at the start, in the middle and past the end; undefined when the machine was too slow. */
    const slide = async (seconds: number): Promise<readonly number[] | undefined> => {
      await gateway.apply({ policy: withWindow(seconds), jwks });
      const init = await someone();
      const windowMs = 1000 * seconds;
      const through = async (count: number): Promise<[begunAt: number, passed: number, endedAt: number]> => {
        const begunAt = performance.now();
        return [begunAt, countOf(await statuses(count, init), 200), performance.now()];
      };
      const [firstAt, first, firstEndedAt] = await through(half);
      await delay(Math.max(0, firstAt + windowMs / 2 - performance.now()));
      const [secondAt, second, secondEndedAt] = await through(requests);
      await delay(Math.max(0, firstEndedAt + 1.05 * windowMs - performance.now()));
      const [, third, thirdEndedAt] = await through(requests);
      const isInTime = secondEndedAt < firstAt + windowMs && thirdEndedAt < secondAt + windowMs;
      return isInTime ? [first, second, third] : undefined;
    };
    let passed: readonly number[] | undefined;
    for (let seconds = slidingSecondsMin; seconds <= slidingSecondsMax && passed === undefined; seconds *= 2)
      passed = await slide(seconds);
    await gateway.apply({ policy: withWindow(windowSeconds), jwks });
    // The first half has left the window, the second has not: a fixed window would let all of them through.
    expect(passed).toEqual([half, half, half]);
  });

  it('is counted by route in the gateway’s metrics, apart from everything else', async () => {
    const metrics = await (await fetch(`${gateway.adminUrl}/stats/prometheus`)).text();
    expect(Number(/parley_gateway_limited\{route="orders"\} (\d+)/.exec(metrics)?.[1])).toBeGreaterThan(15);
  });

  it('holds for clients beyond those that are told apart: together they have one allowance', async () => {
    const many = await Promise.all(Array.from({ length: 60 }, someone));
    const all = (await Promise.all(many.map((init) => statuses(1, init)))).flat();
    expect(countOf(all, 200)).toBeGreaterThanOrEqual(30);
    expect(countOf(all, 200)).toBeLessThanOrEqual(30 + requests);
    expect(countOf(all, 429)).toBe(60 - countOf(all, 200));
  });
});

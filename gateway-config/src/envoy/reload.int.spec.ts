import { readFile } from 'node:fs/promises';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startTestGateway, type TestGateway } from '../../testing/test-gateway.ts';
import { mintToken } from '../dev-keys.ts';
import { gatewayPolicy, type GatewayPolicy } from '../policy/policy.ts';
import { tokenPolicy } from '../policy/tokens.ts';
import { PolicyRefused } from './policy-files.ts';

/** No request leaves the window within a test. */
const windowSeconds = 600;
const loadRounds = 20;
let gateway: TestGateway;
let jwks: string;
beforeAll(async () => {
  gateway = await startTestGateway();
  jwks = await readFile(gateway.keys.jwksPath, 'utf8');
});
afterAll(() => gateway.stop());
beforeEach(() => gateway.apply({ policy: gatewayPolicy, jwks }));

let subjects = 0;
const someone = async (): Promise<RequestInit> => {
  const sub = `someone-${String(++subjects)}`;
  const token = await mintToken({ privateKeyPath: gateway.keys.privateKeyPath, sub, ttlSeconds: 3600 });
  return { headers: { authorization: `Bearer ${token}` } };
};
const statusOf = async (path: string, init?: RequestInit): Promise<number> => {
  const response = await gateway.ask(path, init);
  await response.arrayBuffer();
  return response.status;
};
const bearer = async (alg: string, kid: string, key: CryptoKey): Promise<RequestInit> => {
  const token = await new SignJWT({ sub: 'alice' })
    .setProtectedHeader({ alg, kid })
    .setIssuer(tokenPolicy.issuer)
    .setAudience(tokenPolicy.audience)
    .setExpirationTime('5m')
    .sign(key);
  return { headers: { authorization: `Bearer ${token}` } };
};
const make = async (
  alg: 'RS256' | 'ES256',
  kid: string,
): Promise<{ jwk: JWK; token: () => Promise<RequestInit> }> => {
  const { publicKey, privateKey } = await generateKeyPair(alg);
  return {
    jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' },
    token: () => bearer(alg, kid, privateKey),
  };
};
const documentOf = (...keys: readonly JWK[]): string => JSON.stringify({ keys });
const Keys = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) });
const withLimit = (requests: number, windowSeconds: number): GatewayPolicy => ({
  ...gatewayPolicy,
  limits: { ...gatewayPolicy.limits, client: { requests, windowSeconds } },
});
/** With one route more, and more time for all others. */
const withBeta = (policy: GatewayPolicy): GatewayPolicy => {
  const products = policy.routes.find(({ name }) => name === 'products');
  if (products === undefined) throw new Error('no route');
  const beta = { ...products, name: 'beta', path: { kind: 'tree', path: '/beta/products' } } as const;
  const longer = policy.routes.map((route) => ({ ...route, timeoutMs: route.timeoutMs + 1_000 }));
  return { ...policy, routes: [...longer, beta] };
};

describe('another policy while the gateway runs', () => {
  it('makes a route, and takes it away again', async () => {
    expect(await statusOf('/beta/products')).toBe(404);
    await gateway.apply({ policy: withBeta(gatewayPolicy), jwks });
    expect(await statusOf('/beta/products')).toBe(200);
    await gateway.apply({ policy: gatewayPolicy, jwks });
    expect(await statusOf('/beta/products')).toBe(404);
  });

  it('of another limit, of other routes or with other keys comes without an error for anyone, under load', async () => {
    const fresh = await make('ES256', 'fresh');
    const both = documentOf(...Keys.parse(JSON.parse(jwks)).keys, fresh.jwk);
    const clients = await Promise.all(Array.from({ length: 8 }, someone));
    const statuses = new Map<number, number>();
    let isOver = false;
    const load = Promise.all(
      clients.map(async (init) => {
        while (!isOver) {
          const status = await statusOf('/api/v1/orders', init);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
      }),
    );
    const answered = (): number => [...statuses.values()].reduce((sum, count) => sum + count, 0);
    try {
      for (let round = 1; round <= loadRounds; round += 1) {
        const policy = withLimit(100_000 - round, 1);
        const [hasBeta, hasFresh] = [round % 2 === 1, round % 4 >= 2];
        await gateway.apply({ policy: hasBeta ? withBeta(policy) : policy, jwks: hasFresh ? both : jwks });
        expect(await statusOf('/beta/products')).toBe(hasBeta ? 200 : 404);
        expect(await statusOf('/api/v1/orders', await fresh.token())).toBe(hasFresh ? 200 : 401);
        await expect.poll(answered, { timeout: 60_000, interval: 5 }).toBeGreaterThan(5 * round);
      }
    } finally {
      isOver = true;
    }
    await load;
    expect([...statuses.keys()]).toEqual([200]);
  });

  it('does not forget what a client has used up, and its limit is the new one from then on', async () => {
    await gateway.apply({ policy: withLimit(10, windowSeconds), jwks });
    const init = await someone();
    for (let count = 1; count <= 10; count += 1) expect(await statusOf('/api/v1/orders', init)).toBe(200);
    expect(await statusOf('/api/v1/orders', init)).toBe(429);
    await gateway.apply({
      policy: {
        ...withLimit(10, windowSeconds),
        retryAfterSeconds: 7,
        cors: { ...gatewayPolicy.cors, origins: [] },
      },
      jwks,
    });
    expect(await statusOf('/api/v1/orders', init)).toBe(429);
    await gateway.apply({ policy: withLimit(12, windowSeconds), jwks });
    expect([await statusOf('/api/v1/orders', init), await statusOf('/api/v1/orders', init)]).toEqual([
      200, 200,
    ]);
    expect(await statusOf('/api/v1/orders', init)).toBe(429);
    await gateway.apply({ policy: withLimit(5, windowSeconds), jwks });
    expect(await statusOf('/api/v1/orders', init)).toBe(429);
  });
});

describe('the issuer’s keys', () => {
  it('rotate while it runs: a new one, of ES256 too, is taken beside the old, and the old one is refused when it has gone', async () => {
    const [old] = Keys.parse(JSON.parse(jwks)).keys;
    if (old === undefined) throw new Error('no key');
    const [fresh, rsa] = [await make('ES256', 'fresh'), await make('RS256', 'rsa')];
    const alice = gateway.asAlice();
    const statuses = async (): Promise<number[]> => [
      await statusOf('/api/v1/orders', alice),
      await statusOf('/api/v1/orders', await fresh.token()),
      await statusOf('/api/v1/orders', await rsa.token()),
    ];
    expect(await statuses()).toEqual([200, 401, 401]);
    await gateway.apply({ policy: gatewayPolicy, jwks: documentOf(old, fresh.jwk) });
    expect(await statuses()).toEqual([200, 200, 401]);
    await gateway.apply({ policy: gatewayPolicy, jwks: documentOf(fresh.jwk, rsa.jwk) });
    expect(await statuses()).toEqual([401, 200, 200]);
  });

  it('that are no keys are refused with all that came with them, and the policy before stays whole', async () => {
    await expect(gateway.apply({ policy: withLimit(1, windowSeconds), jwks: 'nonsense' })).rejects.toThrow(
      PolicyRefused,
    );
    const init = await someone();
    expect([await statusOf('/api/v1/orders', init), await statusOf('/api/v1/orders', init)]).toEqual([
      200, 200,
    ]);
    expect(await statusOf('/api/v1/orders', gateway.asAlice())).toBe(200);
  });
});

it('a policy that Envoy refuses takes nothing with it, keys neither, and nobody sees anything of it', async () => {
  const [first] = gatewayPolicy.routes;
  if (first === undefined) throw new Error('no route');
  const wide = withLimit(100_000, 1);
  await gateway.apply({ policy: wide, jwks });
  const broken = { ...wide, routes: [{ ...first, path: { kind: 'tree', path: '/no?such' } as const }] };
  const fresh = await make('ES256', 'fresh');
  const init = await fresh.token();
  const statuses = async (): Promise<string> =>
    `${await statusOf('/api/v1/orders', gateway.asAlice())} ${await statusOf('/api/v1/orders', init)}`;
  const seen = new Set<string>();
  let isOver = false;
  const look = async (): Promise<void> => {
    while (!isOver) seen.add(await statuses());
  };
  const looking = look();
  try {
    const refused = gateway.apply({ policy: broken, jwks: documentOf(fresh.jwk) });
    await expect(refused).rejects.toThrow(PolicyRefused);
    expect(await statuses()).toBe('200 401');
  } finally {
    isOver = true;
  }
  await looking;
  expect([...seen]).toEqual(['200 401']);
});

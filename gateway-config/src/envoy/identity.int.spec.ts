import { createPrivateKey, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { userIdPattern } from '@parley/contracts/headers';
import { exportJWK, generateKeyPair, importJWK, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { echoOf, expectProblem, startTestGateway, type TestGateway } from '../../testing/test-gateway.ts';
import { tokenPolicy } from '../policy/tokens.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway.stop());

const orderId = '0190f5fe-7c00-7a00-8abc-012345678901';

describe('identity', () => {
  const now = () => Math.floor(Date.now() / 1000);
  const good = () => ({
    sub: 'alice',
    iss: tokenPolicy.issuer,
    aud: tokenPolicy.audience,
    exp: now() + 3600,
  });
  const signed = async (payload: Record<string, unknown>, strangersKey = false): Promise<string> => {
    const { kid, ...jwk } = z
      .looseObject({ kid: z.string() })
      .parse(JSON.parse(await readFile(gateway.keys.privateKeyPath, 'utf8')));
    const stranger = await generateKeyPair('RS256', { extractable: true });
    const key = strangersKey ? await exportJWK(stranger.privateKey) : { ...jwk, kty: 'RSA' };
    return new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid }).sign(await importJWK(key, 'RS256'));
  };

  it('the control: a good token of this making is accepted', async () => {
    const response = await gateway.ask('/api/v1/orders', {
      headers: { authorization: `Bearer ${await signed(good())}` },
    });
    expect(response.status).toBe(200);
  });

  const cases: [string, () => Promise<string | undefined> | string | undefined][] = [
    ['no token', () => undefined],
    ['no scheme', () => gateway.token],
    ['garbage', () => 'Bearer not.a.token'],
    ['an expired token', async () => `Bearer ${await signed({ ...good(), exp: now() - 60 })}`],
    ['a token without expiry', async () => `Bearer ${await signed({ ...good(), exp: undefined })}`],
    ['a token of the future', async () => `Bearer ${await signed({ ...good(), nbf: now() + 3000 })}`],
    ['a wrong audience', async () => `Bearer ${await signed({ ...good(), aud: 'other' })}`],
    ['no audience', async () => `Bearer ${await signed({ ...good(), aud: undefined })}`],
    ['a wrong issuer', async () => `Bearer ${await signed({ ...good(), iss: 'other' })}`],
    ["a stranger's signature", async () => `Bearer ${await signed(good(), true)}`],
    ['alg none', () => `Bearer ${new UnsecuredJWT(good()).encode()}`],
    [
      'the public key as a shared secret',
      async () => {
        const secret = new TextEncoder().encode(await readFile(gateway.keys.jwksPath, 'utf8'));
        return `Bearer ${await new SignJWT(good()).setProtectedHeader({ alg: 'HS256' }).sign(secret)}`;
      },
    ],
  ];
  it.each(cases)('%s is UNAUTHENTICATED on every protected route', async (_name, make) => {
    const authorization = await make();
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    for (const path of ['orders', `orders/${orderId}`, `payments/${orderId}`, `notifications/${orderId}`]) {
      const response = await gateway.ask(`/api/v1/${path}`, { headers });
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
    const response = await gateway.ask('/api/v1/orders', { headers });
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer realm=/);
    await expectProblem(response, 'UNAUTHENTICATED');
    expect(userIdPattern.test(sub ?? '')).toBe(false);
  });

  it.each(['!', '~', 'a'.repeat(128), 'auth0|5f7c8ec7c33c6c004bbafe82', 'a,b'])(
    'the subject %s is a user',
    async (sub) => {
      const headers = { authorization: `Bearer ${await signed({ ...good(), sub })}` };
      const seen = await echoOf(await gateway.ask('/api/v1/orders', { headers }));
      expect(seen.headers['x-user-id']).toBe(sub);
      expect(userIdPattern.test(sub)).toBe(true);
    },
  );

  /** The status of an answer to a request with exactly these lines of the header. */
  const statusWith = (authorization: readonly string[]): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const headers = ['host', gateway.url.host, ...authorization.flatMap((line) => ['authorization', line])];
      request(`${gateway.url.origin}/api/v1/orders`, { headers })
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
    const first = `Bearer ${gateway.token}`;
    const second = `bearer ${await signed({ ...good(), sub })}`;
    expect(await statusWith([first])).toBe(200);
    expect(await statusWith([second])).toBe(200);
    for (const [a, b] of [[first, second] as const, [second, first] as const]) {
      for (const lines of [[a, b], [`${a}, ${b}`], [`${a},${b}`], [`${a} ${b}`]])
        expect(await statusWith(lines), lines.join('|')).toBe(401);
      await expectProblem(
        await gateway.ask('/api/v1/orders', { headers: { authorization: `${a}, ${b}` } }),
        'UNAUTHENTICATED',
      );
    }
  });

  it.each(['BEARER ', 'bEaReR ', 'bearer   '])('the scheme %j is as good as any spelling', async (scheme) => {
    const seen = await echoOf(
      await gateway.ask('/api/v1/orders', { headers: { authorization: `${scheme}${gateway.token}` } }),
    );
    expect(seen.headers['x-user-id']).toBe('alice');
  });

  it.each([
    ['an extension that nobody knows', { crit: ['x'], x: 1 }],
    ['none at all, which is against the rule', { crit: [] }],
  ])('a token with a critical header that names %s is UNAUTHENTICATED', async (_what, extra) => {
    const { kid, ...jwk } = z
      .looseObject({ kid: z.string() })
      .parse(JSON.parse(await readFile(gateway.keys.privateKeyPath, 'utf8')));
    const key = createPrivateKey({ key: { ...jwk, kty: 'RSA' }, format: 'jwk' });
    const parts = [{ alg: 'RS256', kid, ...extra }, good()].map((part) =>
      Buffer.from(JSON.stringify(part)).toString('base64url'),
    );
    const text = parts.join('.');
    const bearer = `Bearer ${text}.${sign('RSA-SHA256', Buffer.from(text), key).toString('base64url')}`;
    await expectProblem(
      await gateway.ask('/api/v1/orders', { headers: { authorization: bearer } }),
      'UNAUTHENTICATED',
    );
  });

  it('a token in the query is not taken', async () => {
    await expectProblem(await gateway.ask(`/api/v1/orders?access_token=${gateway.token}`), 'UNAUTHENTICATED');
  });

  it('the subject of the token is the user, whatever the client claims; the token itself stays here', async () => {
    const seen = await echoOf(
      await gateway.ask('/api/v1/orders', gateway.asAlice({ 'x-user-id': 'mallory' })),
    );
    expect(seen.headers).toMatchObject({ 'x-user-id': 'alice' });
    expect(seen.headers.authorization).toBeUndefined();
  });

  it('an open route knows no user, whatever the client claims', async () => {
    const seen = await echoOf(await gateway.ask('/api/v1/products', { headers: { 'x-user-id': 'mallory' } }));
    expect(seen.headers['x-user-id']).toBeUndefined();
  });
});

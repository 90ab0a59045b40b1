import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify, type JSONWebKeySet } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureDevKeys, mintToken } from './dev-keys.ts';
import { tokenPolicy } from './policy/tokens.ts';

let runDir: string;
beforeEach(async () => {
  runDir = await mkdtemp(join(tmpdir(), 'parley-keys-'));
});
afterEach(() => rm(runDir, { recursive: true, force: true }));

const readJwks = async (path: string): Promise<JSONWebKeySet> =>
  JSON.parse(await readFile(path, 'utf8')) as JSONWebKeySet;

describe('the development key', () => {
  it('is made once, also by ten at the same time, and nothing is left beside it', async () => {
    const made = await Promise.all(Array.from({ length: 10 }, () => ensureDevKeys(runDir)));
    const [first] = made;
    if (first === undefined) throw new Error('no key was made');
    const before = await readFile(first.privateKeyPath, 'utf8');
    expect(await ensureDevKeys(runDir)).toEqual(first);
    expect(await readFile(first.privateKeyPath, 'utf8')).toBe(before);
    expect((await readdir(dirname(first.privateKeyPath))).sort()).toEqual([
      'dev-key.private.json',
      'jwks.json',
    ]);
  });

  it('is for its owner only, and its public file holds nothing private', async () => {
    const { privateKeyPath, jwksPath } = await ensureDevKeys(runDir);
    expect((await stat(privateKeyPath)).mode & 0o777).toBe(0o600);
    const [key] = (await readJwks(jwksPath)).keys;
    expect(Object.keys(key ?? {}).sort()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
  });

  it('signs tokens that its public part verifies, for the subject and time asked for', async () => {
    const { privateKeyPath, jwksPath } = await ensureDevKeys(runDir);
    const token = await mintToken({ privateKeyPath, sub: 'alice', ttlSeconds: 60 });
    const { payload } = await jwtVerify(token, createLocalJWKSet(await readJwks(jwksPath)), {
      issuer: tokenPolicy.issuer,
      audience: tokenPolicy.audience,
    });
    expect(payload.sub).toBe('alice');
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60);
    expect(decodeProtectedHeader(token).alg).toBe('RS256');
  });
});

import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, importJWK, SignJWT, type JWK } from 'jose';
import { z } from 'zod';
import { tokenPolicy } from './policy/tokens.ts';

/** Files with the development key of one run folder. */
export interface DevKeys {
  /** The public part, for the gateway. */
  readonly jwksPath: string;
  /** A private JWK, mode 0600, for whoever mints tokens. */
  readonly privateKeyPath: string;
}

const PrivateKey = z.looseObject({
  kty: z.literal('RSA'),
  n: z.string(),
  e: z.string(),
  d: z.string(),
  kid: z.string(),
});

const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

const readKey = async (path: string): Promise<z.infer<typeof PrivateKey>> =>
  PrivateKey.parse(JSON.parse(await readFile(path, 'utf8')));

/** Writes beside `path` and passes the new file on; whatever happens, nothing is left beside it. */
const beside = async (
  path: string,
  { content, mode }: { readonly content: unknown; readonly mode: number },
  use: (temporary: string) => Promise<void>,
): Promise<void> => {
  const temporary = `${path}.${process.pid}.${randomUUID()}`;
  try {
    await writeFile(temporary, `${JSON.stringify(content)}\n`, { mode, flag: 'wx' });
    await use(temporary);
  } finally {
    await rm(temporary, { force: true });
  }
};

const createKey = async (path: string): Promise<void> => {
  const { privateKey } = await generateKeyPair(tokenPolicy.algorithm, { extractable: true });
  const content: JWK = { ...(await exportJWK(privateKey)), kid: randomUUID(), alg: tokenPolicy.algorithm };
  await beside(path, { content, mode: 0o600 }, async (temporary) => {
    try {
      await link(temporary, path); // fails when another process was first: its key is the key
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
  });
};

/**
 * The development key of a run folder, made at the first call. Of processes that race for it one makes it and all get
 * the same; files appear whole. Development only: a real deployment has an issuer of its own and gives the gateway its
 * JWKS.
 */
export const ensureDevKeys = async (runDir: string): Promise<DevKeys> => {
  const folder = join(runDir, 'gateway');
  const paths = { jwksPath: join(folder, 'jwks.json'), privateKeyPath: join(folder, 'dev-key.private.json') };
  await mkdir(folder, { recursive: true });
  let key;
  try {
    key = await readKey(paths.privateKeyPath);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    await createKey(paths.privateKeyPath);
    key = await readKey(paths.privateKeyPath);
  }
  const { kty, n, e, kid } = key;
  const content = { keys: [{ kty, n, e, kid, alg: tokenPolicy.algorithm, use: 'sig' }] };
  await beside(paths.jwksPath, { content, mode: 0o644 }, (temporary) => rename(temporary, paths.jwksPath));
  return paths;
};

/** Whose token, signed with which key, valid for how long from now. */
export interface TokenOptions {
  readonly privateKeyPath: string;
  readonly sub: string;
  readonly ttlSeconds: number;
}

/** A token that the gateway accepts until `ttlSeconds` from now. */
export const mintToken = async ({ privateKeyPath, sub, ttlSeconds }: TokenOptions): Promise<string> => {
  const jwk = await readKey(privateKeyPath);
  const nowSeconds = Math.floor(Date.now() / 1000);
  // The claim `key` is for APISIX, which chooses the key by it and not by the header's `kid`.
  return new SignJWT({ key: jwk.kid })
    .setProtectedHeader({ alg: tokenPolicy.algorithm, kid: jwk.kid })
    .setSubject(sub)
    .setIssuer(tokenPolicy.issuer)
    .setAudience(tokenPolicy.audience)
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + ttlSeconds)
    .sign(await importJWK(jwk, tokenPolicy.algorithm));
};

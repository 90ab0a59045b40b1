import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Endpoints, serviceNames, type ServiceName } from '@parley/contracts/endpoints';
import { importJWK, SignJWT } from 'jose';
import { z } from 'zod';

/** The stack that the tests run against. */
export interface StackUnderTest {
  readonly endpoints: Endpoints;
  readonly runDir: string;
}

/** The running stack: where PARLEY_ENDPOINTS says, else the clone's own. Throws when none is ready. */
export const readStack = (): StackUnderTest => {
  const path = resolve(
    process.env.PARLEY_ENDPOINTS ?? join(import.meta.dirname, '../../.parley/endpoints.json'),
  );
  const endpoints = Endpoints.parse(JSON.parse(readFileSync(path, 'utf8')));
  return { endpoints, runDir: dirname(path) };
};

/** What the gateway asks of a token, told here again: a test that took it from the gateway would prove nothing. */
const accepted = { issuer: 'parley-dev', audience: 'parley-api', lifetimeSeconds: 3600 } as const;

const PrivateKey = z.looseObject({ kty: z.literal('RSA'), kid: z.string() });

/** A token with claims of the caller's choice on top of good ones; undefined removes a claim. */
export const mintToken = async (
  { runDir }: Pick<StackUnderTest, 'runDir'>,
  claims: Readonly<Record<string, unknown>> & { readonly sub: string },
): Promise<string> => {
  const key = PrivateKey.parse(
    JSON.parse(readFileSync(join(runDir, 'gateway/dev-key.private.json'), 'utf8')),
  );
  const nowSeconds = Math.floor(Date.now() / 1000);
  const good = {
    iss: accepted.issuer,
    aud: accepted.audience,
    key: key.kid,
    iat: nowSeconds,
    exp: nowSeconds + accepted.lifetimeSeconds,
  };
  return new SignJWT({ ...good, ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: key.kid })
    .sign(await importJWK(key, 'RS256'));
};

const PidFile = z.looseObject({ pid: z.int() });

/**
 * The process of an instance or an engine that runs now; a service's name is its first instance. Whoever supervises it
 * starts another when it dies. Throws while none runs.
 */
export const pidOf = (
  { runDir }: Pick<StackUnderTest, 'runDir'>,
  name:
    | ServiceName
    | `${ServiceName}-${number}`
    | 'kafka'
    | 'rabbitmq'
    | 'registry'
    | 'zipkin'
    | 'envoy'
    | 'victoria-logs',
): number => {
  const file = serviceNames.some((service) => service === name) ? `${name}-1` : name;
  return PidFile.parse(JSON.parse(readFileSync(join(runDir, 'pids', `${file}.json`), 'utf8'))).pid;
};

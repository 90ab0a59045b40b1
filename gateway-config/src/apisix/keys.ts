import { createPublicKey } from 'node:crypto';
import { z } from 'zod';

/** A public key of the issuer as APISIX wants it; a token's claim `key` names it. */
export interface ApisixKey {
  readonly kid: string;
  readonly algorithm: 'RS256' | 'ES256';
  /** SPKI in PEM. */
  readonly publicKey: string;
}

const Jwks = z.object({
  keys: z.array(z.looseObject({ kid: z.string().min(1), alg: z.enum(['RS256', 'ES256']), kty: z.string() })),
});

/** The keys of a JWKS document. Each has an id and an algorithm of its own, so that no token chooses one. */
export const apisixKeys = (jwks: string): readonly ApisixKey[] =>
  Jwks.parse(JSON.parse(jwks)).keys.map(({ kid, alg, ...jwk }) => ({
    kid,
    algorithm: alg,
    publicKey: createPublicKey({ key: jwk, format: 'jwk' })
      .export({ type: 'spki', format: 'pem' })
      .toString(),
  }));

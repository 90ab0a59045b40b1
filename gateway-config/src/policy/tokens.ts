/** What a token must say for the gateway to believe it: signed by a key of the JWKS, with `exp`. */
export const tokenPolicy = {
  issuer: 'parley-dev',
  audience: 'parley-api',
  algorithm: 'RS256',
  /** How far the clocks of issuer and gateway may be apart, in seconds. */
  clockSkewSeconds: 5,
} as const;

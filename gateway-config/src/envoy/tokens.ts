import { httpHeaders } from '@parley/contracts/headers';
import type { GatewayPolicy } from '../policy/policy.ts';
import { followedFile } from './followed.ts';
import { anyoneRequirement, userRequirement } from './route-config.ts';
import { typed, type Fragment } from './typed.ts';
import { tokenHeaderKey } from './user.ts';

/** Name of the filter that verifies tokens. */
export const tokenFilterName = 'envoy.filters.http.jwt_authn';
/** Where its configuration stands in a folder that Envoy follows. */
export const tokensFile = 'tokens.json';

const type = 'envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication';
/** How many tokens are remembered as verified; their times are looked at for every request. */
const verifiedTokensMax = 1_000;

/** The issuer's public keys: a file that is read once, or the document itself. */
export type Jwks = { readonly filename: string } | { readonly inline_string: string };

/** How tokens are verified. */
export const tokenConfig = (
  { tokens: { issuer, audience, clockSkewSeconds } }: GatewayPolicy,
  jwks: Jwks,
): Fragment =>
  typed(type, {
    providers: {
      issuer: {
        issuer,
        audiences: [audience],
        require_expiration: true,
        clock_skew_seconds: clockSkewSeconds,
        // Named, so that a token in the query, where it would be logged, is not taken. All that is behind the prefix is
        // the token, and both places are looked at: two tokens are refused, and never make two users.
        from_headers: [
          { name: 'Authorization', value_prefix: 'Bearer ' },
          { name: 'Authorization', value_prefix: 'bearer ' },
        ],
        local_jwks: jwks,
        header_in_metadata: tokenHeaderKey,
        // A client asks many times with one token: its signature is verified once.
        jwt_cache_config: { jwt_cache_size: verifiedTokensMax },
        claim_to_headers: [{ header_name: httpHeaders.userId, claim_name: 'sub' }],
      },
    },
    bypass_cors_preflight: true,
    requirement_map: {
      [userRequirement]: { provider_name: 'issuer' },
      [anyoneRequirement]: {
        requires_any: { requirements: [{ provider_name: 'issuer' }, { allow_missing_or_failed: {} }] },
      },
    },
  });

/** The filter, with its configuration in it or in the folder that Envoy follows: Envoy reads a file of keys only once. */
export const tokenFilter = (
  policy: GatewayPolicy,
  { jwksPath, policyFolder }: { readonly jwksPath: string; readonly policyFolder: string | undefined },
): Fragment => ({
  name: tokenFilterName,
  ...(policyFolder === undefined
    ? { typed_config: tokenConfig(policy, { filename: jwksPath }) }
    : {
        config_discovery: {
          config_source: followedFile(policyFolder, tokensFile),
          type_urls: [`type.googleapis.com/${type}`],
        },
      }),
});

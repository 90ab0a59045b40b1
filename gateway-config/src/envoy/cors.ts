import type { GatewayPolicy } from '../policy/policy.ts';
import { extension, typed, type Fragment } from './typed.ts';

const name = 'envoy.filters.http.cors';

/** Answers a preflight itself, and tells a browser that its page may read an answer. */
export const corsFilter: Fragment = extension(name, 'envoy.extensions.filters.http.cors.v3.Cors');

/** What a virtual host has for {@link corsFilter}. Another origin's preflight is not passed on, as it would pass without a token. */
export const corsFor = (
  { origins, requestHeaders, exposedHeaders, maxAgeSeconds }: GatewayPolicy['cors'],
  methods: readonly string[],
): Fragment => ({
  [name]: typed('envoy.extensions.filters.http.cors.v3.CorsPolicy', {
    allow_origin_string_match: origins.map((exact) => ({ exact })),
    allow_methods: methods.join(', '),
    allow_headers: requestHeaders.join(', '),
    expose_headers: exposedHeaders.join(', '),
    max_age: String(maxAgeSeconds),
    forward_not_matching_preflights: false,
  }),
});

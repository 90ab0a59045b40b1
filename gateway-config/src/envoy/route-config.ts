import type { PathMatch, Route } from '../routes.ts';
import { duration, typed, type Fragment } from './typed.ts';
import { userAsked } from './user.ts';

/** Name of the jwt_authn requirement that a protected route refers to. */
export const userRequirement = 'user';

const escapeRegex = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

const matchOf = (path: PathMatch): Fragment => {
  switch (path.kind) {
    case 'tree':
      return { path_separated_prefix: path.path };
    case 'item':
      return { safe_regex: { regex: `${escapeRegex(path.under)}/[^/]+` } };
  }
};

const methodIn = (methods: readonly string[]): Fragment => ({
  name: ':method',
  string_match: { safe_regex: { regex: methods.join('|') } },
});

/** Again only what is certain not to have reached the service, and only where a repetition is harmless anyway. */
const retryPolicy: Fragment = {
  retry_on: 'connect-failure',
  num_retries: 2,
  retry_back_off: { base_interval: '0.025s', max_interval: '0.1s' },
  retriable_request_headers: [methodIn(['GET', 'HEAD'])],
};

const forwarded = (route: Route): Fragment => ({
  name: route.name,
  match: { ...matchOf(route.path), headers: [methodIn(route.methods)] },
  route: { cluster: route.service, timeout: duration(route.timeoutMs), retry_policy: retryPolicy },
  ...(route.authenticated
    ? {
        typed_per_filter_config: {
          'envoy.filters.http.jwt_authn': typed('envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig', {
            requirement_name: userRequirement,
          }),
          ...userAsked,
        },
      }
    : {}),
});

/** The same path with a method that the route does not have. */
const refused = (route: Route): Fragment => ({
  name: `${route.name} method`,
  match: matchOf(route.path),
  direct_response: { status: 405 },
  response_headers_to_add: [{ header: { key: 'allow', value: route.methods.join(', ') } }],
});

/** All routes in order; whatever none of them takes has no route. */
export const routeConfig = (routes: readonly Route[]): Fragment => ({
  name: 'gateway',
  virtual_hosts: [
    { name: 'all', domains: ['*'], routes: routes.flatMap((route) => [forwarded(route), refused(route)]) },
  ],
});

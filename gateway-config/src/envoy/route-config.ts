import type { GatewayPolicy } from '../policy/policy.ts';
import type { PathMatch, Route } from '../policy/routes.ts';
import { upstreams } from '../policy/upstreams.ts';
import { admissionOf } from './admission.ts';
import { arrivalOf } from './arrival.ts';
import { corsFor } from './cors.ts';
import { deadlineHeader } from './deadline.ts';
import { samplingInternal } from './trace-sampling.ts';
import { duration, typed, type Fragment } from './typed.ts';

/** Name of the one route configuration, and where it stands in a folder that Envoy follows. */
export const routeConfigName = 'gateway';
export const routesFile = 'routes.json';

/** Name of the jwt_authn requirement that a protected route refers to. */
export const userRequirement = 'user';
/** Of any other route: a valid token tells clients apart, and nobody needs one. */
export const anyoneRequirement = 'anyone';

const escapeRegex = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

const matchOf = (path: PathMatch): Fragment => {
  switch (path.kind) {
    case 'tree':
      return { path_separated_prefix: path.path };
    case 'item':
      return {
        safe_regex: {
          regex: `${escapeRegex(path.under)}/[^/]+${path.then === undefined ? '' : `/${path.then}`}`,
        },
      };
    case 'exact':
      return { safe_regex: { regex: path.paths.map(escapeRegex).join('|') } };
  }
};

const methodIn = (methods: readonly string[]): Fragment => ({
  name: ':method',
  string_match: { safe_regex: { regex: methods.join('|') } },
});

/** `connect-failure`: the service has seen nothing of the request. */
const retryPolicy = ({
  attemptsMax,
  backoffMs,
  backoffMaxMs,
  methods,
}: GatewayPolicy['retry']): Fragment => ({
  retry_on: 'connect-failure',
  num_retries: attemptsMax,
  retry_back_off: { base_interval: duration(backoffMs), max_interval: duration(backoffMaxMs) },
  retriable_request_headers: [methodIn(methods)],
});

const leadsToGrpc = ({ upstream }: Route): boolean => upstreams[upstream].port === 'grpc';

/**
 * A call's own deadline (`grpc-timeout`) ends it where that is sooner, and the service is told what is left. Where Envoy
 * looks at a call's deadline, it heeds no `timeout`: one without a deadline would have no end.
 */
const timesOf = (route: Route): Fragment => {
  const time = duration(route.timeoutMs);
  if (route.streamMsMax !== undefined)
    return {
      timeout: '0s',
      idle_timeout: time,
      max_stream_duration: { max_stream_duration: duration(route.streamMsMax) },
    };
  return leadsToGrpc(route)
    ? { timeout: time, max_stream_duration: { max_stream_duration: time, grpc_timeout_header_max: time } }
    : { timeout: time };
};

const forwarded = (route: Route, policy: GatewayPolicy): Fragment => ({
  name: route.name,
  match: {
    ...matchOf(route.path),
    headers: [methodIn(route.methods)],
    ...(leadsToGrpc(route) ? { grpc: {} } : {}),
  },
  route: {
    cluster: route.upstream,
    ...timesOf(route),
    ...(route.webSocket === true ? { upgrade_configs: [{ upgrade_type: 'websocket' }] } : {}),
    retry_policy: retryPolicy(policy.retry),
  },
  request_headers_to_add: [deadlineHeader(route)],
  typed_per_filter_config: {
    'envoy.filters.http.jwt_authn': typed('envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig', {
      requirement_name: route.authenticated ? userRequirement : anyoneRequirement,
    }),
    ...arrivalOf(route),
    ...admissionOf(route, policy),
  },
});

/** The same path with a method that the route does not have. For who makes no call, a gRPC method is nowhere. */
const refused = (route: Route): readonly Fragment[] =>
  leadsToGrpc(route)
    ? []
    : [
        {
          name: `${route.name} method`,
          match: matchOf(route.path),
          direct_response: { status: 405 },
          response_headers_to_add: [{ header: { key: 'allow', value: route.methods.join(', ') } }],
        },
      ];

/**
 * A preflight of a known origin, which the CORS filter answers before it goes anywhere: the filter looks only at routes
 * that have a cluster. Any other preflight meets the refusals below, as a method that the path does not have.
 */
const preflight = ({ cors, routes }: GatewayPolicy): readonly Fragment[] =>
  cors.origins.length === 0
    ? []
    : [
        {
          name: 'preflight',
          match: {
            prefix: '/',
            headers: [
              { name: ':method', string_match: { exact: 'OPTIONS' } },
              {
                name: 'origin',
                string_match: { safe_regex: { regex: cors.origins.map(escapeRegex).join('|') } },
              },
              // The filter leaves one that names no method to the route.
              { name: 'access-control-request-method', string_match: { safe_regex: { regex: '[A-Za-z]+' } } },
            ],
          },
          route: { cluster: routes[0]?.upstream },
        },
      ];

/** All routes in order; whatever none of them takes has no route. */
export const routeConfig = (policy: GatewayPolicy): Fragment => ({
  name: routeConfigName,
  virtual_hosts: [
    {
      name: 'all',
      domains: ['*'],
      request_headers_to_remove: samplingInternal,
      typed_per_filter_config: corsFor(policy.cors, [
        ...new Set(policy.routes.flatMap(({ methods }) => methods)),
      ]),
      routes: [
        ...preflight(policy),
        ...policy.routes.flatMap((route) => [forwarded(route, policy), ...refused(route)]),
      ],
    },
  ],
});

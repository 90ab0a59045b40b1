import { httpHeaders } from '@parley/contracts/headers';
import type { GatewayPolicy } from '../policy/policy.ts';
import type { Route } from '../policy/routes.ts';
import { upstreamNames, upstreams as known, type UpstreamName } from '../policy/upstreams.ts';
import type { ApisixKey } from './keys.ts';
import { answerBody, answerHead, arrival, deadline, identity } from './lua.ts';

/** A piece of APISIX's configuration: plain data. */
export type Data = Readonly<Record<string, unknown>>;

/** A policy, and everything of a gateway that is not policy. */
export interface ApisixOptions {
  readonly policy: GatewayPolicy;
  readonly upstreams: Readonly<
    Record<UpstreamName, readonly { readonly host: string; readonly port: number }[]>
  >;
  readonly keys: readonly ApisixKey[];
  /** Where spans go, as host:port of an OTLP/HTTP collector; absent: none are made. */
  readonly collector?: string;
}

/** Milliseconds as APISIX has times. */
export const seconds = (ms: number): number => ms / 1000;
/** The paths of a route; `/*` takes any number of segments. */
export const pathsOf = ({ path }: Route): readonly string[] => {
  switch (path.kind) {
    case 'tree':
      return [path.path, `${path.path}/*`];
    case 'item':
      return [`${path.under}/*`];
    case 'exact':
      return path.paths;
  }
};

const escapeRegex = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
export const leadsToGrpc = ({ upstream }: Route): boolean => known[upstream].port === 'grpc';

/** What a request must look like besides its paths, as regular expressions: an item is exactly one segment, a call says that it is one. */
export const conditionsOf = (route: Route): { readonly path?: string; readonly contentType?: string } => ({
  ...(route.path.kind === 'item'
    ? {
        path: `^${escapeRegex(route.path.under)}/[^/]+${route.path.then === undefined ? '' : `/${route.path.then}`}$`,
      }
    : {}),
  ...(leadsToGrpc(route) ? { contentType: '^application/grpc([+].*)?$' } : {}),
});

const only = (route: Route): Data => {
  const { path, contentType } = conditionsOf(route);
  const vars = [
    ...(path === undefined ? [] : [['uri', '~~', path]]),
    ...(contentType === undefined ? [] : [['http_content_type', '~~', contentType]]),
  ];
  return vars.length === 0 ? {} : { vars };
};

/** The first route that takes a path decides, whatever the method: APISIX looks at the larger priority first. */
export const priorityOf = (
  route: Route,
  { routes }: GatewayPolicy,
): { readonly forwarded: number; readonly refused: number } => {
  const behind = routes.length - routes.indexOf(route);
  return { forwarded: 2 * behind, refused: 2 * behind - 1 };
};

/**
 * Every discriminator of a condition in the plugin's schema is written out. The counter is one for all routes by its
 * group; a key without a value falls back to the client's address.
 */
const limit = ({ limits: { client } }: GatewayPolicy): Data => ({
  count: client.requests,
  time_window: client.windowSeconds,
  window_type: 'fixed',
  rejected_code: 429,
  key_type: 'var',
  key: `http_${httpHeaders.userId.replaceAll('-', '_')}`,
  policy: 'local',
  group: 'client',
});

const jwt = ({ tokens }: GatewayPolicy): Data => ({
  key_claim_name: 'key',
  claims_to_verify: ['exp'], // each that is named must be there, and a token may do without nbf
  realm: tokens.issuer,
  store_in_ctx: true,
  // A token is taken from the header only: these two names are none that a request can have.
  query: 'parley_no_token_in_the_query',
  cookie: 'parley_no_token_in_a_cookie',
});

/** APISIX runs one function of a plugin for each route: the problem's body is written by every route's own. */
const problemBodies: Data = { 'serverless-post-function': { phase: 'body_filter', functions: [answerBody] } };

/** Only in routes: in a global rule it would read a traceparent before it is settled. */
const traces: Data = {
  opentelemetry: { sampler: { name: 'parent_base', options: { root: { name: 'always_on' } } } },
};

/** The plugins of a route, by name. */
export const pluginsOf = (route: Route, policy: GatewayPolicy, traced: boolean): Data => ({
  ...(route.authenticated ? { 'jwt-auth': jwt(policy) } : {}),
  'serverless-pre-function': {
    phase: 'access',
    functions: [...(route.authenticated ? [identity(policy)] : []), deadline(route)],
  },
  'client-control': { max_body_size: policy.request.bodyBytesMax },
  'limit-count': limit(policy),
  // Else an event waits until a buffer is full.
  ...(route.streamMsMax === undefined ? {} : { 'proxy-buffering': { disable_proxy_buffering: true } }),
  ...problemBodies,
  ...(traced ? traces : {}),
});

/** The plugins of a route that ends here. */
export const endsWith = (status: number, headers?: Readonly<Record<string, string>>): Data => ({
  'fault-injection': { abort: { http_status: status, ...(headers === undefined ? {} : { headers }) } },
  ...problemBodies,
});

const forwarded = (route: Route, policy: GatewayPolicy, traced: boolean): Data => ({
  id: route.name,
  name: route.name,
  uris: pathsOf(route),
  ...only(route),
  methods: route.methods,
  priority: priorityOf(route, policy).forwarded,
  status: 1,
  enable_websocket: route.webSocket ?? false,
  upstream_id: route.upstream,
  timeout: {
    connect: seconds(policy.connections.upstreamConnectTimeoutMs),
    send: seconds(route.timeoutMs),
    read: seconds(route.timeoutMs),
  },
  plugins: pluginsOf(route, policy, traced),
});

/** The same path with a method that the route does not have. For who makes no call, a gRPC method is nowhere. */
const refused = (route: Route, policy: GatewayPolicy): readonly Data[] =>
  leadsToGrpc(route)
    ? []
    : [
        {
          id: `${route.name}-method`,
          name: `${route.name}-method`,
          uris: pathsOf(route),
          ...only(route),
          priority: priorityOf(route, policy).refused,
          status: 1,
          plugins: endsWith(405, { Allow: route.methods.join(', ') }),
        },
      ];

/** Takes whatever no route takes, so that a 404 is a route's answer like any other. */
const nowhere: Data = {
  id: 'nowhere',
  name: 'nowhere',
  uri: '/*',
  priority: 0,
  status: 1,
  plugins: endsWith(404),
};

/**
 * Plugins of every request. One rule only: APISIX merges its global rules, and of a plugin that two of them have one is
 * lost.
 */
export const globalPlugins = (policy: GatewayPolicy): Data => ({
  'serverless-pre-function': { phase: 'rewrite', functions: [arrival(policy)] },
  'serverless-post-function': { phase: 'header_filter', functions: [answerHead(policy)] },
  cors: {
    allow_origins: policy.cors.origins.length === 0 ? 'null' : policy.cors.origins.join(','),
    allow_methods: [...new Set(policy.routes.flatMap(({ methods }) => methods))].join(','),
    allow_headers: policy.cors.requestHeaders.join(','),
    expose_headers: policy.cors.exposedHeaders.join(','),
    max_age: policy.cors.maxAgeSeconds,
    allow_credential: false,
  },
  prometheus: { prefer_name: true },
});

/** The standalone file as data. */
export const apisixModel = ({ policy, upstreams, keys, collector }: ApisixOptions): Data => ({
  upstreams: upstreamNames.map((name) => ({
    id: name,
    name,
    type: 'roundrobin',
    scheme: known[name].port,
    retries: policy.retry.attemptsMax,
    // Connections that cannot be made are tried again within it; what timed out later, and may have been done, is not.
    retry_timeout: seconds(policy.retry.attemptsMax * policy.connections.upstreamConnectTimeoutMs),
    keepalive_pool: {
      size: 64,
      idle_timeout: seconds(policy.connections.upstreamIdleTimeoutMs),
      requests: 10_000,
    },
    nodes: upstreams[name].map(({ host, port }) => ({ host, port, weight: 1 })),
  })),
  consumers: keys.map(({ kid, algorithm, publicKey }, index) => ({
    username: `issuer_${index + 1}`,
    plugins: {
      'jwt-auth': {
        key: kid,
        algorithm,
        public_key: publicKey,
        lifetime_grace_period: policy.tokens.clockSkewSeconds,
      },
    },
  })),
  global_rules: [{ id: 'every-request', plugins: globalPlugins(policy) }],
  ...(collector === undefined
    ? {}
    : {
        plugin_metadata: [
          {
            id: 'opentelemetry',
            trace_id_source: 'random',
            resource: { 'service.name': 'gateway' },
            collector: { address: collector, request_timeout: 3, request_headers: {} },
            batch_span_processor: { batch_timeout: 1, inactive_timeout: 1, max_export_batch_size: 64 },
            set_ngx_var: false,
          },
        ],
      }),
  routes: [
    ...policy.routes.flatMap((route) => [
      forwarded(route, policy, collector !== undefined),
      ...refused(route, policy),
    ]),
    nowhere,
  ],
});

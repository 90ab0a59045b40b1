import { httpHeaders } from '@parley/contracts/headers';
import type { GatewayPolicy } from '../policy/policy.ts';
import { admissionFilter } from './admission.ts';
import { arrivalFilters } from './arrival.ts';
import { correlationFormat } from './correlation.ts';
import { corsFilter } from './cors.ts';
import { localReplies } from './local-replies.ts';
import { decidedAtFormat, limitCounter } from './limit.ts';
import { followedFile } from './followed.ts';
import { routeConfig, routeConfigName, routesFile } from './route-config.ts';
import { tokenFilter } from './tokens.ts';
import { samplingShares, samplingStripped } from './trace-sampling.ts';
import { duration, extension, type Fragment } from './typed.ts';

/** What differs between two gateways. */
export interface ConnectionManagerOptions {
  readonly policy: GatewayPolicy;
  readonly jwksPath: string;
  readonly policyFolder: string | undefined;
  readonly accessLogPath: string;
  /** Whether spans have somewhere to go: the cluster `zipkin`. */
  readonly traced: boolean;
}

/**
 * Envoy continues a traceparent of any version, ff too, and of none that is longer than version 00's 55 characters. W3C:
 * ff is invalid, version 00 has 55, and of a later version the first 55 are read.
 */
const traceparentMutations: readonly Fragment[] = [
  `%CEL(request.headers['${httpHeaders.traceparent}'].startsWith('ff') || (request.headers['${httpHeaders.traceparent}'].startsWith('00') && request.headers['${httpHeaders.traceparent}'].size() != 55) ? 'none' : request.headers['${httpHeaders.traceparent}'])%`,
  `%REQ(${httpHeaders.traceparent.toUpperCase()}):55%`,
].map((value) => ({
  append: { header: { key: httpHeaders.traceparent, value }, append_action: 'OVERWRITE_IF_EXISTS' },
}));

/**
 * Written over what Envoy says of a client by itself and cannot be told to leave out: its address, its browser, and what
 * it put into a query.
 */
const impersonal = [
  { tag: 'peer.address', literal: { value: '-' } },
  { tag: 'user_agent', literal: { value: '-' } },
  { tag: 'http.url', value: '%PATH(NQ)%' },
];

const tracing: Fragment = {
  ...samplingShares,
  spawn_upstream_span: true,
  operation: '%REQ(:METHOD)% %ROUTE_NAME%',
  upstream_operation: '%REQ(:METHOD)% -> %UPSTREAM_CLUSTER%',
  custom_tags: [
    { tag: 'parley.correlation_id', request_header: { name: httpHeaders.correlationId } },
    ...impersonal,
  ],
  provider: extension('envoy.tracers.zipkin', 'envoy.config.trace.v3.ZipkinConfig', {
    collector_cluster: 'zipkin',
    collector_endpoint: '/api/v2/spans',
    collector_endpoint_version: 'HTTP_PROTO', // see span-ids.ts
    trace_id_128bit: true,
    shared_span_context: false,
    trace_context_option: 'USE_B3_WITH_W3C_PROPAGATION',
  }),
};

const accessLog = (path: string): Fragment =>
  extension('file', 'envoy.extensions.access_loggers.file.v3.FileAccessLog', {
    path,
    log_format: {
      json_format: {
        time: '%START_TIME%',
        service: 'gateway',
        method: '%REQ(:METHOD)%',
        path: '%PATH(NQ)%',
        route: '%ROUTE_NAME%',
        status: '%RESPONSE_CODE%',
        flags: '%RESPONSE_FLAGS%',
        details: '%RESPONSE_CODE_DETAILS%',
        latencyMs: '%DURATION%',
        upstream: '%UPSTREAM_CLUSTER%',
        attempts: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
        limitDecidedAtMs: decidedAtFormat,
        correlationId: correlationFormat,
        traceId: '%TRACE_ID%',
        spanId: '%SPAN_ID%',
      },
    },
  });

/** The gateway's one listener, from bytes to routes. */
export const connectionManager = ({
  policy,
  jwksPath,
  policyFolder,
  accessLogPath,
  traced,
}: ConnectionManagerOptions): Fragment =>
  extension(
    'envoy.filters.network.http_connection_manager',
    'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    {
      stat_prefix: 'gateway',
      server_name: 'parley-gateway',
      use_remote_address: true,
      // No caller is internal, loopback neither: nobody may steer Envoy by x-envoy headers.
      internal_address_config: { cidr_ranges: [{ address_prefix: '255.255.255.255', prefix_len: 32 }] },
      request_id_extension: {
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig',
          pack_trace_reason: false,
        },
      },
      path_with_escaped_slashes_action: 'REJECT_REQUEST',
      normalize_path: true,
      merge_slashes: true,
      request_headers_timeout: duration(policy.request.headersTimeoutMs),
      request_timeout: duration(policy.request.arrivalTimeoutMs),
      stream_idle_timeout: duration(policy.connections.streamIdleTimeoutMs),
      common_http_protocol_options: {
        headers_with_underscores_action: 'REJECT_REQUEST',
        idle_timeout: duration(policy.connections.clientIdleTimeoutMs),
      },
      early_header_mutation_extensions: [
        extension('strip', 'envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation', {
          mutations: [
            ...[...policy.headers.stripped, ...samplingStripped].map((name) => ({ remove: name })),
            ...traceparentMutations,
          ],
        }),
      ],
      ...(traced ? { tracing } : {}),
      access_log: [accessLog(accessLogPath), limitCounter],
      local_reply_config: localReplies(policy),
      http_filters: [
        ...arrivalFilters(policy, traced),
        corsFilter,
        tokenFilter(policy, { jwksPath, policyFolder }),
        admissionFilter(policy),
        extension(
          'envoy.filters.http.body_size_limit',
          'envoy.extensions.filters.http.body_size_limit.v3.BodySizeLimit',
          { max_request_bytes: policy.request.bodyBytesMax },
        ),
        extension('envoy.filters.http.router', 'envoy.extensions.filters.http.router.v3.Router', {
          suppress_envoy_headers: true,
        }),
      ],
      ...(policyFolder === undefined
        ? { route_config: routeConfig(policy) }
        : {
            rds: {
              route_config_name: routeConfigName,
              config_source: followedFile(policyFolder, routesFile),
            },
          }),
    },
  );

import { stringify } from 'yaml';
import type { GatewayPolicy } from '../policy/policy.ts';
import { upstreamNames, upstreams as known, type UpstreamName } from '../policy/upstreams.ts';
import { connectionManager } from './http-connection-manager.ts';
import { endpointsPath, loadAssignment, type Address } from './endpoints.ts';
import { spanIdFilters } from './span-ids.ts';
import { duration, socketAddress, typed, type Fragment } from './typed.ts';

/** A policy, and everything of a gateway that is not policy. */
export interface EnvoyOptions {
  readonly policy: GatewayPolicy;
  readonly listen: Address;
  /** Keep it on loopback: it has no authentication. */
  readonly admin: Address;
  /**
   * The addresses behind every upstream, one of each instance; requests are shared out in turn. Or the folder that has
   * them in files (`writeEndpoints`), which Envoy follows.
   */
  readonly upstreams: Readonly<Record<UpstreamName, readonly Address[]>> | { readonly followed: string };
  /** The issuer's public keys; read at start. */
  readonly jwksPath: string;
  /**
   * The folder with routes, limits and keys as `writePolicy` leaves them there: they change without a restart. Absent:
   * all of it stands in the bootstrap.
   */
  readonly policyFolder?: string | undefined;
  /** Where spans go; absent: the gateway makes none and passes a client's trace context on as it is. */
  readonly zipkin?: Address | undefined;
  /** One JSON line for each request is appended here. */
  readonly accessLogPath: string;
}

type Connections = GatewayPolicy['connections'];

/** gRPC needs HTTP/2, and every other upstream gets HTTP/1.1, whatever the client speaks. */
const protocolOf = (name: string): string =>
  Object.entries(known).some(([each, { port }]) => each === name && port === 'grpc')
    ? 'http2_protocol_options'
    : 'http_protocol_options';

const upstream = (
  name: string,
  { upstreamConnectTimeoutMs, upstreamIdleTimeoutMs, upstreamConnectionsMax: max }: Connections,
  filters: readonly Fragment[] = [],
): Fragment => ({
  name,
  connect_timeout: duration(upstreamConnectTimeoutMs),
  // Envoy's own bound of 1,024 is less than the event streams of two instances, which would starve all other requests.
  circuit_breakers: {
    thresholds: [{ max_connections: max, max_pending_requests: max, max_requests: max }],
  },
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': typed(
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      {
        explicit_http_config: { [protocolOf(name)]: {} },
        common_http_protocol_options: { idle_timeout: duration(upstreamIdleTimeoutMs) },
        ...(filters.length === 0 ? {} : { http_filters: filters }),
      },
    ),
  },
});

const cluster = (name: string, addresses: readonly Address[], connections: Connections): Fragment => ({
  ...upstream(name, connections),
  type: 'STATIC',
  load_assignment: loadAssignment(name, addresses),
});

/** A cluster whose endpoints are read from a file, and again when it is renamed into place. */
const followedCluster = (name: UpstreamName, folder: string, connections: Connections): Fragment => ({
  ...upstream(name, connections),
  type: 'EDS',
  common_lb_config: { update_merge_window: '0s' }, // else an instance that was added waits for a second
  eds_cluster_config: {
    service_name: name,
    eds_config: {
      resource_api_version: 'V3',
      path_config_source: {
        path: endpointsPath(folder, name),
        watched_directory: { path: folder },
      },
    },
  },
});

/** The bootstrap as data. */
export const envoyModel = (options: EnvoyOptions): Fragment => {
  const { policy, listen, admin, upstreams, jwksPath, policyFolder, zipkin, accessLogPath } = options;
  const manager = connectionManager({
    policy,
    jwksPath,
    policyFolder,
    accessLogPath,
    traced: zipkin !== undefined,
  });
  return {
    admin: { address: socketAddress(admin) },
    // The cluster is the gateway's service name in Zipkin.
    node: { id: 'gateway-1', cluster: 'gateway' },
    layered_runtime: {
      layers: [
        {
          name: 'static',
          // One request for each span cost Zipkin four times the processor time.
          static_layer: { 'tracing.zipkin.min_flush_spans': 100, 'tracing.zipkin.flush_interval_ms': 500 },
        },
      ],
    },
    static_resources: {
      listeners: [
        { name: 'gateway', address: socketAddress(listen), filter_chains: [{ filters: [manager] }] },
      ],
      clusters: [
        ...upstreamNames.map((name) =>
          'followed' in upstreams
            ? followedCluster(name, upstreams.followed, policy.connections)
            : cluster(name, upstreams[name], policy.connections),
        ),
        ...(zipkin === undefined
          ? []
          : [
              {
                ...upstream('zipkin', policy.connections, spanIdFilters),
                type: 'STATIC',
                load_assignment: loadAssignment('zipkin', [zipkin]),
              },
            ]),
      ],
    },
  };
};

/** Envoy's whole bootstrap for a policy, as YAML. The same options give the same text. */
export const renderEnvoy = (options: EnvoyOptions): string =>
  stringify(envoyModel(options), { aliasDuplicateObjects: false });

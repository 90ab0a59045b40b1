/** The rival: what Envoy does with no policy at all. */

const host = '127.0.0.1';
const address = (port: number) => ({ socket_address: { address: host, port_value: port } });
const typed = (type: string, content: object) => ({
  '@type': `type.googleapis.com/envoy.${type}`,
  ...content,
});

/** A bootstrap of one listener, one route and one cluster. */
export const bareEnvoy = (at: {
  readonly port: number;
  readonly adminPort: number;
  readonly upstreamPort: number;
}): string => {
  const manager = typed('extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'bare',
    route_config: {
      virtual_hosts: [
        { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'upstream' } }] },
      ],
    },
    http_filters: [{ name: 'router', typed_config: typed('extensions.filters.http.router.v3.Router', {}) }],
  });
  const endpoint = { endpoint: { address: address(at.upstreamPort) } };
  return JSON.stringify({
    admin: { address: address(at.adminPort) },
    static_resources: {
      listeners: [
        {
          name: 'bare',
          address: address(at.port),
          filter_chains: [{ filters: [{ name: 'manager', typed_config: manager }] }],
        },
      ],
      clusters: [
        {
          name: 'upstream',
          load_assignment: { cluster_name: 'upstream', endpoints: [{ lb_endpoints: [endpoint] }] },
        },
      ],
    },
  });
};

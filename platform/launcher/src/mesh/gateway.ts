import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { portsFor } from '@parley/engines';
import { ensureDevKeys, forUpstreams, gatewayPolicy, renderEnvoy, upstreams } from '@parley/gateway-config';
import { hostOf, type MeshFile, type MeshNode } from '@parley/mesh';
import { parse, stringify } from 'yaml';
import { runFiles } from '../stack/context.ts';
import { host } from '../stack/instances.ts';

/**
 * Has every forwarded request carry the mesh name of its service as host: a sidecar picks the route by it, and a client
 * outside the mesh names the gateway.
 */
const withMeshHosts = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withMeshHosts);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, withMeshHosts(inner)] as const);
  const route: unknown = Object.fromEntries(entries);
  const known = Object.entries(upstreams).find(([name]) => 'cluster' in value && name === value.cluster);
  if (known === undefined || !('timeout' in value)) return route; // a cluster that is named elsewhere
  return Object.assign({}, route, { host_rewrite_literal: hostOf(known[1].service) });
};

/** Where the gateway listens. */
export const gatewayHostOf = ({ loopback, address }: MeshNode): string =>
  loopback === undefined ? address : host;

/** Writes the same gateway as in any stack, with the services' virtual addresses behind it, and answers the path of its bootstrap. */
export const writeMeshGateway = async (runDir: string, mesh: MeshFile): Promise<string> => {
  const node = mesh.nodes.find(({ name }) => name === 'gateway');
  if (node === undefined) throw new RangeError('a mesh without a gateway');
  const { gateway, gatewayAdmin } = portsFor(mesh.portBase);
  const { jwksPath } = await ensureDevKeys(runDir);
  const { logs } = runFiles(runDir);
  mkdirSync(logs, { recursive: true });
  const text = renderEnvoy({
    policy: gatewayPolicy,
    listen: { host: gatewayHostOf(node), port: gateway },
    admin: { host: gatewayHostOf(node), port: gatewayAdmin },
    upstreams: forUpstreams(({ service: name, port: kind }) => {
      const service = mesh.services.find((candidate) => candidate.name === name);
      const port = kind === 'http' ? service?.httpPort : service?.grpcPort;
      if (service === undefined || port === undefined)
        throw new RangeError(`a mesh without ${kind} of ${name}`);
      return [{ host: node.loopback?.outbound[name] ?? service.virtualIp, port }];
    }),
    jwksPath,
    zipkin: { host: '127.0.0.1', port: mesh.zipkinPort },
    accessLogPath: join(logs, 'gateway-access.log'),
  });
  const path = join(runDir, 'gateway', 'envoy.yaml');
  writeFileSync(path, stringify(withMeshHosts(parse(text)), { aliasDuplicateObjects: false }));
  return path;
};

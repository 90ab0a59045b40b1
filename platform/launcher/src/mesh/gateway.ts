import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceName } from '@parley/contracts/endpoints';
import { portsFor } from '@parley/engines';
import { ensureDevKeys, gatewayPolicy, renderEnvoy, type Address } from '@parley/gateway-config';
import { hostOf, type MeshFile } from '@parley/mesh';
import { parse, stringify } from 'yaml';
import { runFiles } from '../stack/context.ts';

/**
 * Has every forwarded request carry the mesh name of its service as host: a sidecar picks the route by it, and a client
 * outside the mesh names the gateway.
 */
const withMeshHosts = (value: unknown, services: ReadonlySet<string>): unknown => {
  if (Array.isArray(value)) return value.map((item) => withMeshHosts(item, services));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, withMeshHosts(inner, services)] as const);
  const route: unknown = Object.fromEntries(entries);
  if (!('cluster' in value) || typeof value.cluster !== 'string' || !services.has(value.cluster))
    return route;
  if (!('timeout' in value)) return route; // a cluster that is named elsewhere
  return Object.assign({}, route, { host_rewrite_literal: hostOf(value.cluster as ServiceName) });
};

/** Writes the same gateway as in any stack, with the services' virtual addresses behind it, and answers the path of its bootstrap. */
export const writeMeshGateway = async (runDir: string, mesh: MeshFile): Promise<string> => {
  const node = mesh.nodes.find(({ name }) => name === 'gateway');
  if (node === undefined) throw new RangeError('a mesh without a gateway');
  const { gateway, gatewayAdmin } = portsFor(mesh.portBase);
  const { jwksPath } = await ensureDevKeys(runDir);
  const { logs } = runFiles(runDir);
  mkdirSync(logs, { recursive: true });
  const upstream = (name: ServiceName): readonly Address[] => {
    const service = mesh.services.find((candidate) => candidate.name === name);
    if (service === undefined) throw new RangeError(`a mesh without ${name}`);
    return [{ host: service.virtualIp, port: service.httpPort }];
  };
  const text = renderEnvoy({
    policy: gatewayPolicy,
    listen: { host: node.address, port: gateway },
    admin: { host: node.address, port: gatewayAdmin },
    upstreams: {
      order: upstream('order'),
      product: upstream('product'),
      payment: upstream('payment'),
      notification: upstream('notification'),
      shipping: upstream('shipping'),
    },
    jwksPath,
    zipkin: { host: '127.0.0.1', port: mesh.zipkinPort },
    accessLogPath: join(logs, 'gateway-access.log'),
  });
  const services = new Set<string>(mesh.services.map(({ name }) => name));
  const path = join(runDir, 'gateway', 'envoy.yaml');
  writeFileSync(path, stringify(withMeshHosts(parse(text), services), { aliasDuplicateObjects: false }));
  return path;
};

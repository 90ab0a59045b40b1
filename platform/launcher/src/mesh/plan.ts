import { join } from 'node:path';
import { serviceNames, type ServiceName } from '@parley/contracts/endpoints';
import { portsFor } from '@parley/engines';
import { startTicksOf } from '@parley/engines/procfs';
import type { CapturedMesh, MeshFile, MeshNode } from '@parley/mesh';
import type { StackContext } from '../stack/context.ts';
import { servicePorts } from '../stack/ports.ts';

/** Names of namespaces start so; the owner's pid and start time follow, so that those of a killed one are known. */
const prefix = 'parley-mesh';

/** The process that namespaces belong to. */
export interface Owner {
  readonly pid: number;
  readonly startTicks: number;
}

/** This process. */
export const ownOwner = (): Owner => ({ pid: process.pid, startTicks: startTicksOf(process.pid) ?? 0 });

/** Name of a namespace of this owner's mesh. */
export const namespaceOf = ({ pid, startTicks }: Owner, name: string): string =>
  `${prefix}-${pid}-${startTicks}-${name}`;

/** Whose a namespace is; undefined when it is none of a mesh. */
export const ownerOf = (namespace: string): Owner | undefined => {
  const [, pid, startTicks] = new RegExp(`^${prefix}-(\\d+)-(\\d+)-`).exec(namespace) ?? [];
  return pid === undefined ? undefined : { pid: Number(pid), startTicks: Number(startTicks) };
};

const hubAddress = '10.77.0.1';
const addressOf = (host: number): string => `10.77.0.${host}`;
const virtualIpOf = (index: number): string => `240.241.0.${11 + index}`;

/** Everything besides the services' first instances: a second version of one, and callers. `plain` has no sidecar. */
const others: readonly (Omit<MeshNode, 'namespace' | 'address' | 'sidecarDir'> & {
  readonly host: number;
})[] = [
  { name: 'gateway', account: 'gateway', version: 'v1', host: 2 },
  { name: 'client', account: 'client', version: 'v1', host: 3 },
  { name: 'drill', account: 'client', version: 'v1', host: 4 },
  { name: 'plain', version: 'v1', host: 5 },
  { name: 'product-v2', account: 'product', service: 'product', version: 'v2', host: 22 },
];

/** What may be in a plan besides its context: where the tools are. */
export interface PlanOptions {
  readonly owner: Owner;
  readonly tools: MeshFile['tools'];
}

/** Which namespaces a mesh has, and what runs in each. */
export const planMesh = (
  { runDir, portBase }: Pick<StackContext, 'runDir' | 'portBase'>,
  { owner, tools }: PlanOptions,
): CapturedMesh => {
  const services = serviceNames.map((name, index) => {
    const { http, grpc } = servicePorts(name, 1, { portBase });
    return {
      name,
      virtualIp: virtualIpOf(index),
      httpPort: http,
      ...(grpc === undefined ? {} : { grpcPort: grpc }),
    };
  });
  const firsts = serviceNames.map((service: ServiceName, index) => ({
    name: `${service}-v1`,
    account: service,
    service,
    version: 'v1',
    host: 11 + index,
  }));
  const nodes = [...firsts, ...others].map(({ host, ...node }) => ({
    ...node,
    namespace: namespaceOf(owner, node.name),
    address: addressOf(host),
    sidecarDir: join(runDir, 'sidecars', node.name),
  }));
  return {
    form: 'captured',
    portBase,
    hub: { namespace: namespaceOf(owner, 'hub'), address: hubAddress },
    nodes,
    services,
    zipkinPort: portsFor(portBase).zipkin,
    controlPort: portBase + 1,
    kubeconfig: join(runDir, 'control-plane', 'kubeconfig.yaml'),
    tools,
  };
};

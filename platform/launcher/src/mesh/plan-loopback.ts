import { join } from 'node:path';
import { serviceNames, type ServiceName } from '@parley/contracts/endpoints';
import type { MeshFile, MeshNode } from '@parley/mesh';
import type { StackContext } from '../stack/context.ts';
import { servicePorts } from '../stack/ports.ts';
import { planMesh, type PlanOptions } from './plan.ts';

/** Nodes that call services; the others' sidecars only take calls. */
const callers: ReadonlySet<string> = new Set(['order-v1', 'gateway', 'client']);
/** Not in this form: a plaintext caller is any process of the machine, and certificates from files are for one drill. */
const absent: ReadonlySet<string> = new Set(['plain', 'drill']);

const adminOffset = 800;
const zipkinHost = 9;
const firstServiceHost = 11;

/** The second number of the addresses: another one for each thousand of the base, so that two meshes seldom meet. */
const networkOf = (portBase: number): string => `127.${64 + (Math.floor(portBase / 1000) % 64)}`;

/**
 * A mesh without namespaces: everything at addresses of the machine's loopback network. Processes of services are at
 * 127.0.0.1 as in any stack. The sidecar of node n takes calls for it at 127.x.0.n, and its calls to a service at
 * 127.x.n.m, one address a service; the addresses of the control plane are those of node 1.
 */
export const planLoopback = (
  context: Pick<StackContext, 'runDir' | 'portBase'>,
  options: PlanOptions,
): MeshFile => {
  const { portBase } = context;
  const plan = planMesh(context, options);
  const network = networkOf(portBase);
  const loopbackOf = (node: MeshNode, index: number): MeshNode['loopback'] => {
    const host = node.address.split('.')[3] ?? '';
    const address = (last: number): string => `${network}.${host}.${last}`;
    const portsOf = (service: ServiceName): ReturnType<typeof servicePorts> =>
      servicePorts(service, node.version === 'v1' ? 1 : 2, { portBase });
    const outbound = serviceNames.map((name, at): [ServiceName, string] => [
      name,
      address(firstServiceHost + at),
    ]);
    const ports = node.service === undefined ? undefined : portsOf(node.service);
    return {
      adminPort: portBase + adminOffset + index,
      ...(ports === undefined
        ? {}
        : {
            service: {
              httpPort: ports.http,
              opsPort: ports.ops,
              ...(ports.grpc === undefined ? {} : { grpcPort: ports.grpc }),
            },
          }),
      outbound: callers.has(node.name) ? Object.fromEntries(outbound) : {},
      zipkinAddress: address(zipkinHost),
    };
  };
  const nodes = plan.nodes
    .filter(({ name }) => !absent.has(name))
    .map((node, index) => ({
      ...node,
      namespace: undefined,
      address: `${network}.0.${node.address.split('.')[3] ?? ''}`,
      sidecarDir: join(context.runDir, 'sidecars', node.name),
      loopback: loopbackOf(node, index),
    }));
  return { ...plan, form: 'loopback', hub: { address: `${network}.0.1` }, nodes };
};

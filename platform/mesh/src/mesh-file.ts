import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { serviceNames } from '@parley/contracts/endpoints';
import { z } from 'zod';
import type { SidecarListeners, Topology } from './topology.ts';

const address = z.ipv4();
const port = z.int().min(1).max(65_535);

/** What runs at one address, in a network namespace of its own where calls are captured, and whether it has a sidecar. */
const Node = z.object({
  /** `product-v2`, `gateway`, `client`. */
  name: z.string(),
  /** Absent in the loopback form. */
  namespace: z.string().optional(),
  address,
  /** The identity in its certificate; absent where there is no sidecar. */
  account: z.string().optional(),
  service: z.enum(serviceNames).optional(),
  version: z.string(),
  /** Folder of the sidecar: its certificates, tokens and access log. */
  sidecarDir: z.string(),
  /** The loopback form only. */
  loopback: z
    .object({
      /** Of Envoy's own pages, at 127.0.0.1. */
      adminPort: port,
      /** Of the service's process, at 127.0.0.1. */
      service: z.object({ httpPort: port, grpcPort: port.optional(), opsPort: port }).optional(),
      /** Where its sidecar takes its calls to each service. */
      outbound: z.partialRecord(z.enum(serviceNames), address),
      zipkinAddress: address,
    })
    .optional(),
});
export type MeshNode = z.infer<typeof Node>;

/** `mesh.json` in the run folder: everything that a tool or a test needs to know of a running mesh. */
export const MeshFile = z.object({
  /** `captured`: namespaces, and rules that send every connection through a sidecar. `loopback`: neither, needs no root. */
  form: z.enum(['captured', 'loopback']),
  portBase: port,
  hub: z.object({ namespace: z.string().optional(), address }),
  nodes: z.array(Node),
  services: z.array(
    z.object({ name: z.enum(serviceNames), virtualIp: address, httpPort: port, grpcPort: port.optional() }),
  ),
  zipkinPort: port,
  /** In the hub's namespace: answers `/status`, and `/sidecars/stop` and `/sidecars/start`. */
  controlPort: port,
  kubeconfig: z.string(),
  tools: z.object({ kubectl: z.string(), istioctl: z.string(), pilotAgent: z.string() }),
});
export type MeshFile = z.infer<typeof MeshFile>;

/** A mesh with captured traffic: all of it is in namespaces. */
export interface CapturedMesh extends MeshFile {
  readonly hub: MeshFile['hub'] & { readonly namespace: string };
  readonly nodes: (MeshNode & { readonly namespace: string })[];
}

/** A mesh as one with captured traffic; throws a RangeError for one in the loopback form. */
export const capturedMesh = (mesh: MeshFile): CapturedMesh => {
  const inOne = <T extends { namespace?: string | undefined }>(part: T): T & { namespace: string } => {
    if (part.namespace === undefined) throw new RangeError('a mesh without namespaces');
    return { ...part, namespace: part.namespace };
  };
  return { ...mesh, hub: inOne(mesh.hub), nodes: mesh.nodes.map(inOne) };
};

/** Where `mesh.json` is. */
export const meshFileOf = (runDir: string): string => join(runDir, 'mesh.json');

/** Reads `mesh.json`. Throws when it is not there: no mesh runs from this folder. */
export const readMeshFile = (runDir: string): MeshFile =>
  MeshFile.parse(JSON.parse(readFileSync(meshFileOf(runDir), 'utf8')));

const listenersOf = ({
  name,
  account,
  service,
  version,
  address: at,
  loopback,
}: MeshNode): SidecarListeners[] => {
  if (account === undefined || loopback === undefined) return [];
  const { outbound, zipkinAddress, service: ports } = loopback;
  const inbound =
    service === undefined || ports === undefined
      ? {}
      : { inbound: { address: at, service, httpPort: ports.httpPort, grpcPort: ports.grpcPort } };
  return [{ name, labels: { app: service ?? account, version }, ...inbound, outbound, zipkinAddress }];
};

/** What a policy is rendered for. */
export const topologyOf = ({ form, services, nodes, hub, zipkinPort }: MeshFile): Topology => ({
  services: services.map((service) => ({ ...service, grpcPort: service.grpcPort })),
  workloads: nodes.flatMap(({ name, service, version, address: at }) =>
    service === undefined ? [] : [{ name, service, version, address: at }],
  ),
  zipkin: { address: form === 'loopback' ? '127.0.0.1' : hub.address, port: zipkinPort },
  ...(form === 'loopback' ? { listeners: nodes.flatMap(listenersOf) } : {}),
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { serviceNames } from '@parley/contracts/endpoints';
import { z } from 'zod';
import type { Topology } from './topology.ts';

const address = z.ipv4();
const port = z.int().min(1).max(65_535);

/** One network namespace: what runs in it, at which address, and whether a sidecar captures its calls. */
const Node = z.object({
  /** `product-v2`, `gateway`, `client`. */
  name: z.string(),
  namespace: z.string(),
  address,
  /** The identity in its certificate; absent where there is no sidecar. */
  account: z.string().optional(),
  service: z.enum(serviceNames).optional(),
  version: z.string(),
  /** Folder of the sidecar: its certificates, tokens and access log. */
  sidecarDir: z.string(),
});
export type MeshNode = z.infer<typeof Node>;

/** `mesh.json` in the run folder: everything that a tool or a test needs to know of a running mesh. */
export const MeshFile = z.object({
  portBase: port,
  hub: z.object({ namespace: z.string(), address }),
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

/** Where `mesh.json` is. */
export const meshFileOf = (runDir: string): string => join(runDir, 'mesh.json');

/** Reads `mesh.json`. Throws when it is not there: no mesh runs from this folder. */
export const readMeshFile = (runDir: string): MeshFile =>
  MeshFile.parse(JSON.parse(readFileSync(meshFileOf(runDir), 'utf8')));

/** What a policy is rendered for. */
export const topologyOf = ({ services, nodes, hub, zipkinPort }: MeshFile): Topology => ({
  services: services.map((service) => ({ ...service, grpcPort: service.grpcPort })),
  workloads: nodes.flatMap(({ name, service, version, address: at }) =>
    service === undefined ? [] : [{ name, service, version, address: at }],
  ),
  zipkin: { address: hub.address, port: zipkinPort },
});

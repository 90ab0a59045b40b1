import type { ServiceName } from '@parley/contracts/endpoints';

/** One process of a service in the mesh: which version of it runs at which address. */
export interface Workload {
  /** Unique in the mesh, a DNS label: `product-v2`. */
  readonly name: string;
  readonly service: ServiceName;
  readonly version: string;
  readonly address: string;
}

/** How a service is reached, whichever of its workloads answers. */
export interface MeshService {
  readonly name: ServiceName;
  /** The address that stands for all of its workloads. */
  readonly virtualIp: string;
  readonly httpPort: number;
  readonly grpcPort: number | undefined;
}

/** What a policy is applied to. */
export interface Topology {
  readonly services: readonly MeshService[];
  readonly workloads: readonly Workload[];
  /** Where sidecars send their spans. */
  readonly zipkin: { readonly address: string; readonly port: number };
  /** Present where nothing captures connections: what each sidecar listens on instead. */
  readonly listeners?: readonly SidecarListeners[];
}

/** Where the sidecar of one node listens, and for what; without capture it has to be named. */
export interface SidecarListeners {
  /** Of the node: `product-v2`. */
  readonly name: string;
  /** By which istiod knows the sidecar. */
  readonly labels: { readonly app: string; readonly version: string };
  /** On the service's own ports at this address it takes calls, and hands them to the ports of the process at 127.0.0.1. */
  readonly inbound?: {
    readonly address: string;
    readonly service: ServiceName;
    readonly httpPort: number;
    readonly grpcPort: number | undefined;
  };
  /** At these addresses it takes its own process's calls to each service, on that one's ports. */
  readonly outbound: Readonly<Partial<Record<ServiceName, string>>>;
  /** Of its own for spans; nothing connects to it, but without a listener the sidecar is not told of Zipkin. */
  readonly zipkinAddress: string;
}

/** Names in the mesh that are no policy: the same on every machine, and in the certificates. */
export const meshNames = {
  trustDomain: 'parley.mesh',
  namespace: 'parley',
  rootNamespace: 'istio-system',
  clusterDomain: 'cluster.local',
  /** Of all resources that the project renders; others in the cluster are left alone. */
  managedBy: { key: 'app.kubernetes.io/managed-by', value: 'parley' },
  zipkinHost: 'zipkin.parley.svc.cluster.local',
} as const;

/** The name that a service has in the mesh. */
export const hostOf = (service: ServiceName): string =>
  `${service}.${meshNames.namespace}.svc.${meshNames.clusterDomain}`;

/** The identity of a workload in its certificate. */
export const spiffeIdOf = (account: string): string =>
  `spiffe://${meshNames.trustDomain}/ns/${meshNames.namespace}/sa/${account}`;

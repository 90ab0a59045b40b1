import { resource, type Resource } from './resources.ts';
import { hostOf, meshNames, type MeshService, type SidecarListeners, type Topology } from './topology.ts';

const here = (host: string): string => `./${host}`;

interface Port {
  readonly number: number;
  readonly protocol: 'HTTP' | 'GRPC';
  readonly name: string;
}

const portsOf = ({ name, httpPort, grpcPort }: MeshService): readonly Port[] => [
  { number: httpPort, protocol: 'HTTP', name: `http-${name}` },
  ...(grpcPort === undefined ? [] : [{ number: grpcPort, protocol: 'GRPC', name: `grpc-${name}` } as const]),
];

const ingressOf = ({ inbound }: SidecarListeners, { services }: Topology): readonly object[] => {
  const service = services.find(({ name }) => name === inbound?.service);
  if (inbound === undefined || service === undefined) return [];
  return portsOf(service).map((port) => ({
    port,
    bind: inbound.address,
    captureMode: 'NONE',
    defaultEndpoint: `127.0.0.1:${(port.protocol === 'HTTP' ? inbound.httpPort : inbound.grpcPort) ?? 0}`,
  }));
};

const egressOf = (
  { outbound, zipkinAddress }: SidecarListeners,
  { services, zipkin }: Topology,
): readonly object[] => [
  ...services.flatMap((service) => {
    const bind = outbound[service.name];
    if (bind === undefined) return [];
    const hosts = [here(hostOf(service.name))];
    return portsOf(service).map((port) => ({ port, bind, captureMode: 'NONE', hosts }));
  }),
  {
    port: { number: zipkin.port, protocol: 'HTTP', name: 'http-zipkin' },
    bind: zipkinAddress,
    captureMode: 'NONE',
    hosts: [here(meshNames.zipkinHost)],
  },
];

/** Where each sidecar listens, for a mesh in which no rule captures connections; nothing for one in which they do. */
export const renderListeners = (topology: Topology): readonly Resource[] =>
  (topology.listeners ?? []).map((listeners) => {
    const ingress = ingressOf(listeners, topology);
    return resource({
      apiVersion: 'networking.istio.io/v1',
      kind: 'Sidecar',
      name: listeners.name,
      body: {
        spec: {
          workloadSelector: { labels: listeners.labels },
          ...(ingress.length === 0 ? {} : { ingress }),
          egress: egressOf(listeners, topology),
        },
      },
    });
  });

import { callerNames, type MeshPolicy } from './policy.ts';
import { renderListeners } from './render-listeners.ts';
import { renderSecurity } from './render-security.ts';
import { renderTraffic } from './render-traffic.ts';
import { resource, type Resource } from './resources.ts';
import { meshNames, type MeshService, type Topology, type Workload } from './topology.ts';

/** Identities of everything in the mesh. */
const accounts = ({ services }: Topology): readonly Resource[] => [
  ...[meshNames.namespace, meshNames.rootNamespace].map((name) =>
    resource({ apiVersion: 'v1', kind: 'Namespace', name, namespace: null }),
  ),
  ...[...services.map(({ name }) => name), ...callerNames].map((name) =>
    resource({ apiVersion: 'v1', kind: 'ServiceAccount', name }),
  ),
];

const service = ({ name, virtualIp, httpPort, grpcPort }: MeshService): Resource =>
  resource({
    apiVersion: 'v1',
    kind: 'Service',
    name,
    body: {
      spec: {
        clusterIP: virtualIp,
        selector: { app: name },
        ports: [
          { name: 'http', port: httpPort, appProtocol: 'http' },
          ...(grpcPort === undefined ? [] : [{ name: 'grpc', port: grpcPort, appProtocol: 'grpc' }]),
        ],
      },
    },
  });

const workloadEntry = ({ name, service: app, version, address }: Workload): Resource =>
  resource({
    apiVersion: 'networking.istio.io/v1',
    kind: 'WorkloadEntry',
    name,
    body: { spec: { address, serviceAccount: app, labels: { app, version } } },
  });

const telemetry = ({ tracing }: MeshPolicy, { zipkin }: Topology): readonly Resource[] => [
  resource({
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    name: 'zipkin',
    body: {
      spec: {
        hosts: [meshNames.zipkinHost],
        location: 'MESH_EXTERNAL',
        resolution: 'STATIC',
        ports: [{ number: zipkin.port, name: 'http', protocol: 'HTTP' }],
        endpoints: [{ address: zipkin.address }],
      },
    },
  }),
  resource({
    apiVersion: 'telemetry.istio.io/v1',
    kind: 'Telemetry',
    name: 'default',
    namespace: meshNames.rootNamespace,
    body: {
      spec: {
        tracing: [{ providers: [{ name: 'zipkin' }], randomSamplingPercentage: tracing.samplePercent }],
      },
    },
  }),
];

/**
 * All resources of the mesh, in an order in which they can be applied. The same policy and topology give the same
 * resources. Throws a RangeError when the policy names a version that does not run.
 */
export const renderMesh = (policy: MeshPolicy, topology: Topology): readonly Resource[] => [
  ...accounts(topology),
  ...topology.services.map(service),
  ...topology.workloads.map(workloadEntry),
  ...renderTraffic(policy, topology),
  ...renderListeners(topology),
  ...renderSecurity(policy),
  ...telemetry(policy, topology),
];

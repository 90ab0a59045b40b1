import { portsFor, type EngineName } from '@parley/engines';

/** The engines of a mesh: what the services need, and the gateway. */
export const meshEngines: readonly EngineName[] = ['kafka', 'registry', 'rabbitmq', 'zipkin', 'envoy'];

/** Ports of the engines that services talk to. */
export const enginePorts = (portBase: number): readonly number[] => {
  const { kafka, registry, rabbitmqAmqp, zipkin } = portsFor(portBase);
  return [kafka, registry, rabbitmqAmqp, zipkin];
};

/** Where the virtual addresses of services come from; the API server gives no other. */
export const virtualAddresses = '240.241.0.0/16';

/** Where pilot-agent and Envoy answer in a node's namespace; never captured. */
export const sidecarPorts = { status: 15_020, ready: 15_021, prometheus: 15_090 } as const;

/** Where the control plane listens in the hub. */
export const controlPlanePorts = {
  etcd: 23_790,
  etcdPeer: 23_800,
  kubernetes: 16_443,
  istiodHttp: 8080,
  istiodWebhook: 15_017,
  istiodGrpc: 15_010,
  istiodTls: 15_012,
  istiodMonitoring: 15_014,
} as const;

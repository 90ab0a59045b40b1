import { describe, expect, it } from 'vitest';
import { topologyOf } from '@parley/mesh';
import { ownerOf, planMesh } from './plan.ts';
import { planLoopback } from './plan-loopback.ts';
import { relayTargets } from './relay.ts';

const owner = { pid: 4711, startTicks: 99 };
const tools = { kubectl: '/t/kubectl', istioctl: '/t/istioctl', pilotAgent: '/t/pilot-agent' };
const plan = planMesh({ runDir: '/run', portBase: 6000 }, { owner, tools });

describe('the plan of a mesh', () => {
  it('gives every node a namespace and an address of its own', () => {
    for (const pick of ['namespace', 'address', 'name', 'sidecarDir'] as const)
      expect(new Set(plan.nodes.map((node) => node[pick])).size).toBe(plan.nodes.length);
  });

  it('names namespaces after their owner, so that those of a killed one are found, and no other', () => {
    for (const namespace of [plan.hub.namespace, ...plan.nodes.map((node) => node.namespace)])
      expect(ownerOf(namespace)).toEqual(owner);
    for (const strange of ['parley-mesh', 'parley-mesh-x-1-hub', 'docker-1', 'my-parley-mesh-1-2-hub'])
      expect(ownerOf(strange)).toBeUndefined();
  });

  it('has all five services behind virtual addresses, product in two versions, and one node without a sidecar', () => {
    const { services, workloads } = topologyOf(plan);
    expect(services.map(({ name }) => name)).toEqual([
      'order',
      'product',
      'payment',
      'notification',
      'shipping',
    ]);
    expect(workloads.filter(({ service }) => service === 'product').map(({ version }) => version)).toEqual([
      'v1',
      'v2',
    ]);
    expect(plan.nodes.filter(({ account }) => account === undefined).map(({ name }) => name)).toEqual([
      'plain',
    ]);
  });

  it('lets the outside reach the gateway, the engines and the operations of services, and no service itself', () => {
    const ports = [...relayTargets(plan).keys()];
    for (const port of [6080, 6192, 6194, 6102, 6122]) expect(ports).toContain(port);
    for (const port of [6100, 6101, 6110, 6120]) expect(ports).not.toContain(port);
  });
});

describe('the plan of a mesh in its loopback form', () => {
  const loopback = planLoopback({ runDir: '/run', portBase: 6000 }, { owner, tools });

  it('has no namespace, and every address in the loopback network', () => {
    expect([loopback.hub, ...loopback.nodes].map(({ namespace }) => namespace ?? 'none')).toEqual(
      Array.from({ length: loopback.nodes.length + 1 }, () => 'none'),
    );
    const { workloads, listeners = [] } = topologyOf(loopback);
    const addresses = [
      loopback.hub.address,
      ...workloads.map(({ address }) => address),
      ...listeners.flatMap(({ outbound, zipkinAddress }) => [zipkinAddress, ...Object.values(outbound)]),
    ];
    expect(addresses.filter((address) => !address.startsWith('127.70.'))).toEqual([]);
    expect(new Set(addresses).size).toBe(addresses.length);
  });

  it('gives every process a port of its own at 127.0.0.1, apart from those of a stack', () => {
    const ports = loopback.nodes.flatMap(({ loopback: own }) => [
      own?.adminPort,
      ...Object.values(own?.service ?? {}),
    ]);
    expect(new Set(ports).size).toBe(ports.length);
    expect(Math.min(...loopback.nodes.map((node) => node.loopback?.adminPort ?? 0))).toBeGreaterThan(6744);
  });

  it('has the same services, versions and callers as with captured traffic', () => {
    const { services, workloads } = topologyOf(loopback);
    expect(services).toEqual(topologyOf(plan).services);
    expect(workloads.map(({ name }) => name)).toEqual(topologyOf(plan).workloads.map(({ name }) => name));
  });
});

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { answersOk } from '@parley/engines/probe';
import type { MeshFile, MeshNode } from '@parley/mesh';
import { messageOf } from '../cli/exit.ts';
import type { Output } from '../cli/output.ts';
import { host as loopbackHost } from '../stack/instances.ts';
import { serviceEnv, shutdownDeadlineMs } from '../stack/addresses.ts';
import { rootDir } from '../stack/context.ts';
import { servicePorts, type ServicePorts } from '../stack/ports.ts';
import { meshEngines } from './ports.ts';
import { startProcess, type MeshProcess } from './processes.ts';

const readyDeadlineMs = 180_000;

/** A node in which a service runs. */
export type ServiceNode = MeshNode & { readonly service: NonNullable<MeshNode['service']> };

export const isServiceNode = (node: MeshNode): node is ServiceNode => node.service !== undefined;

/** Where the process of a service listens, behind its sidecar. */
const processHostOf = ({ loopback, address }: ServiceNode): string =>
  loopback === undefined ? address : loopbackHost;

const processPortsOf = ({ service, loopback }: ServiceNode, mesh: MeshFile): ServicePorts => {
  if (loopback?.service === undefined) return servicePorts(service, 1, mesh);
  const { httpPort, grpcPort, opsPort } = loopback.service;
  return { http: httpPort, grpc: grpcPort, ops: opsPort };
};

/**
 * The environment of a service: as in any stack, on the node's own address, with its peers by name. It is the same
 * with a sidecar and without: what a name means is the business of the network. In the loopback form it is at 127.0.0.1,
 * and its peers are where its sidecar takes calls to them.
 */
export const envOf = (node: ServiceNode, runDir: string, mesh: MeshFile): Record<string, string> => {
  const product = servicePorts('product', 1, mesh);
  const payment = servicePorts('payment', 1, mesh);
  const { http, ops, grpc } = processPortsOf(node, mesh);
  const host = processHostOf(node);
  const peer = (name: 'product' | 'payment'): string => node.loopback?.outbound[name] ?? name;
  const instance = {
    service: node.service,
    id: node.name,
    version: node.version,
    host,
    ports: { http, ops, ...(grpc === undefined ? {} : { grpc }) },
  };
  return {
    ...serviceEnv(instance, { portBase: mesh.portBase, runDir, engines: meshEngines }),
    PARLEY_HOST: host,
    ...(node.service === 'order'
      ? {
          PRODUCT_GRPC: `${peer('product')}:${product.grpc ?? 0}`,
          PAYMENT_URL: `http://${peer('payment')}:${payment.http}`,
        }
      : {}),
  };
};

/** Where a service runs, who is told of it, and what ends the wait for it. */
interface ServiceOptions {
  readonly runDir: string;
  readonly mesh: MeshFile;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/** Starts a service in its namespace, from the same sources as in any stack, and waits until it is ready. */
const startService = (
  node: ServiceNode,
  { runDir, mesh, output, signal }: ServiceOptions,
): Promise<MeshProcess> =>
  startProcess({
    name: node.name,
    runDir,
    ...(node.namespace === undefined ? {} : { namespace: node.namespace }),
    cwd: join(rootDir, 'domains', node.service),
    command: [process.execPath, '--disable-warning=ExperimentalWarning', 'src/main.ts'],
    env: envOf(node, runDir, mesh),
    isReady: () => answersOk(`http://${processHostOf(node)}:${processPortsOf(node, mesh).ops}/readyz`),
    readyDeadlineMs,
    signal,
    graceMs: shutdownDeadlineMs + 2000,
    output,
  });

const restartsMax = 20;
const restartPauseMs = 500;

/** As `startService`; one that ends by itself afterwards is started again. */
export const keepService = async (
  node: ServiceNode,
  options: ServiceOptions,
): Promise<Pick<MeshProcess, 'stop'>> => {
  const stopping = new AbortController();
  const signal = AbortSignal.any([stopping.signal, options.signal]);
  let current = await startService(node, options);
  const keep = async (): Promise<void> => {
    for (let restart = 0; restart < restartsMax; restart++) {
      await current.exited;
      await delay(restartPauseMs, undefined, { signal });
      current = await startService(node, { ...options, signal });
      if (signal.aborted) {
        await current.stop(); // asked for as it became ready
        return;
      }
      options.output.good(`${node.name} runs again`);
    }
    options.output.bad(`${node.name} ended ${restartsMax} times and is left alone`);
  };
  const kept = keep().catch((error: unknown) => {
    if (!signal.aborted) options.output.bad(messageOf(error));
  });
  return {
    stop: async () => {
      stopping.abort();
      await current.stop();
      await kept;
    },
  };
};

import { meshNames, type MeshFile } from '@parley/mesh';
import { z } from 'zod';
import { isCaptured, readyUrlOf, type Captured } from './sidecar.ts';
import { sidecarPorts } from './ports.ts';
import { refusalMetrics, type Refusals } from './refusals.ts';

const timeoutMs = 2000;

/** One line of `mesh:status`. */
export const NodeStatus = z.object({
  name: z.string(),
  address: z.string(),
  sidecar: z.enum(['ready', 'not ready', 'none']),
  /** Seconds until the certificate that the sidecar presents ends; absent when it does not say. */
  certificateSeconds: z.number().optional(),
  /** Calls that it has carried since it started, by result. */
  inbound: z.record(z.string(), z.number()),
  outbound: z.record(z.string(), z.number()),
  /** Handshakes in which it refused the caller's certificate since the mesh started, by reason. */
  refused: z.record(z.string(), z.number()),
});
export type NodeStatus = z.infer<typeof NodeStatus>;

const textFrom = async (url: string): Promise<string | undefined> => {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
    const text = await response.text();
    return response.ok ? text : undefined;
  } catch {
    return undefined; // it does not run
  }
};

/** Requests completed by a sidecar in one direction, by class of status, from Envoy's own counters. */
const requestsIn = (direction: 'inbound' | 'outbound', metrics: string): Record<string, number> => {
  const host = `.${meshNames.namespace}.svc.`;
  const counts: Record<string, number> = {};
  const lines = metrics.matchAll(/^envoy_cluster_upstream_rq\{([^}]*response_code_class[^}]*)\} (\d+)$/gm);
  for (const [, labels = '', value] of lines) {
    const cluster = /cluster_name="([^"]*)"/.exec(labels)?.[1] ?? '';
    const group = /response_code_class="(\dxx)"/.exec(labels)?.[1];
    if (!cluster.startsWith(`${direction}|`) || group === undefined) continue;
    if (direction === 'outbound' && !cluster.includes(host)) continue;
    counts[group] = (counts[group] ?? 0) + Number(value);
  }
  return counts;
};

const Certificates = z.object({
  certificates: z.array(
    z.object({ cert_chain: z.array(z.object({ expiration_time: z.iso.datetime() })).default([]) }),
  ),
});

/** Seconds until a sidecar's certificate ends: by its agent, or by Envoy where the agent has no pages. */
const certificateSecondsOf = async ({ address, loopback }: Captured): Promise<number | undefined> => {
  if (loopback === undefined) {
    const agent = await textFrom(`http://${address}:${sidecarPorts.status}/metrics`);
    const left = /^istio_agent_cert_expiry_seconds\{[^}]*\} (\S+)$/m.exec(agent ?? '')?.[1];
    return left === undefined ? undefined : Number(left);
  }
  const text = await textFrom(`http://127.0.0.1:${loopback.adminPort}/certs`);
  if (text === undefined) return undefined;
  const ends = Certificates.parse(JSON.parse(text)).certificates.flatMap(({ cert_chain: [leaf] }) =>
    leaf === undefined ? [] : (Date.parse(leaf.expiration_time) - Date.now()) / 1000,
  );
  return ends.length === 0 ? undefined : Math.min(...ends);
};

/** Tells what a node's sidecar refused. */
export type RefusalsOf = (node: string) => Promise<Refusals>;

const statusOf = async (node: Captured, refusalsOf: RefusalsOf): Promise<NodeStatus> => {
  const at = (port: number, path: string): string => `http://${node.address}:${port}${path}`;
  const [ready, left, metrics = '', refused] = await Promise.all([
    textFrom(readyUrlOf(node)),
    certificateSecondsOf(node),
    textFrom(at(sidecarPorts.prometheus, '/stats/prometheus')),
    refusalsOf(node.name),
  ]);
  return {
    name: node.name,
    address: node.address,
    sidecar: ready === undefined ? 'not ready' : 'ready',
    ...(left === undefined ? {} : { certificateSeconds: Math.round(left) }),
    inbound: requestsIn('inbound', metrics),
    outbound: requestsIn('outbound', metrics),
    refused,
  };
};

/** How each node is doing, asked of its own sidecar. Only in the hub: from there they are reached. */
export const meshStatus = async (
  { nodes }: MeshFile,
  refusalsOf: RefusalsOf,
): Promise<readonly NodeStatus[]> =>
  Promise.all(
    nodes.map(async (node) =>
      isCaptured(node)
        ? await statusOf(node, refusalsOf)
        : {
            name: node.name,
            address: node.address,
            sidecar: 'none' as const,
            inbound: {},
            outbound: {},
            refused: {},
          },
    ),
  );

/** Everything that the sidecar of a node and its agent count, and what the sidecar refused, in Prometheus' text format; undefined for a node without one. */
export const nodeMetrics = async (
  { nodes }: MeshFile,
  name: string,
  refusalsOf: RefusalsOf,
): Promise<string | undefined> => {
  const node = nodes.find((candidate) => candidate.name === name);
  if (node === undefined || !isCaptured(node)) return undefined;
  const text = await (node.loopback === undefined
    ? textFrom(`http://${node.address}:${sidecarPorts.status}/metrics`) // the agent adds Envoy's to its own
    : textFrom(`http://${node.address}:${sidecarPorts.prometheus}/stats/prometheus`));
  return text === undefined ? undefined : `${text.trimEnd()}\n${refusalMetrics(await refusalsOf(name))}`;
};

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { capturedMesh, readMeshFile, type CapturedMesh, type MeshPolicy } from '@parley/mesh/testing';
import { z } from 'zod';
import { runCommand, type CommandResult } from '../command.ts';
import { readStack, type StackUnderTest } from '../stack.ts';

/** What is missing for a mesh on this machine; undefined when one runs. */
export const meshNeeds = process.env.PARLEY_MESH_NEEDS;

/** The running mesh. */
export interface MeshUnderTest extends StackUnderTest {
  readonly file: CapturedMesh;
}

export const readMesh = (): MeshUnderTest => {
  const stack = readStack();
  return { ...stack, file: capturedMesh(readMeshFile(stack.runDir)) };
};

export const nodeOf = ({ file }: MeshUnderTest, name: string): CapturedMesh['nodes'][number] => {
  const node = file.nodes.find((candidate) => candidate.name === name);
  if (node === undefined) throw new RangeError(`the mesh has no node ${name}`);
  return node;
};

/** Port on which a service answers HTTP. */
export const httpPortOf = ({ file }: MeshUnderTest, name: string): number => {
  const service = file.services.find((candidate) => candidate.name === name);
  if (service === undefined) throw new RangeError(`the mesh has no service ${name}`);
  return service.httpPort;
};

/** A read of the product service by its name in the mesh. */
export const productsUrl = (mesh: MeshUnderTest): string =>
  `http://product:${httpPortOf(mesh, 'product')}/api/v1/products?limit=2`;

/** Runs a program in the namespace of a node and returns what it printed. */
export const inNode = (
  mesh: MeshUnderTest,
  name: string,
  [program, ...args]: readonly [string, ...string[]],
): Promise<CommandResult> =>
  runCommand(mesh, ['ip', 'netns', 'exec', nodeOf(mesh, name).namespace, program, ...args]);

/** Runs a client of the API server in the hub. */
export const inHub = (
  mesh: MeshUnderTest,
  ...command: readonly [string, ...string[]]
): Promise<CommandResult> => {
  const { hub, kubeconfig } = mesh.file;
  const words = ['ip', 'netns', 'exec', hub.namespace, 'env', `KUBECONFIG=${kubeconfig}`] as const;
  return runCommand(mesh, [...words, ...command]);
};

/** Calls to make from a node. */
export interface Load {
  readonly url: string;
  /** How many; without it, for `durationMs`. */
  readonly count?: number;
  readonly durationMs?: number;
  readonly concurrency: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Most calls a second; absent: as fast as they are answered. */
  readonly ratePerSecond?: number;
}

const Loaded = z.object({
  calls: z.int(),
  /** Answers by status; `error` where none came. */
  statuses: z.record(z.string(), z.int()),
  errors: z.array(z.string()),
  latenciesMs: z.array(z.number()),
  /** Bodies by digest. */
  bodies: z.record(z.string(), z.int()),
});
export type Loaded = z.infer<typeof Loaded>;

/** Makes calls by a process that is started behind these words; with none, in the network of the tests. */
export const runLoad = async (
  stack: Pick<StackUnderTest, 'runDir'>,
  before: readonly [string, ...string[]] | readonly [],
  what: Load,
): Promise<Loaded> => {
  const script = join(import.meta.dirname, 'load-process.ts');
  const words = [process.execPath, script, JSON.stringify(what)] as const;
  const result = await runCommand(stack, [...before, ...words]);
  if (result.exitCode !== 0) throw new Error(`the load ended with ${result.exitCode}: ${result.stderr}`);
  return Loaded.parse(JSON.parse(result.stdout));
};

/** Makes calls from a node, by a process in its namespace. */
export const load = (mesh: MeshUnderTest, node: string, what: Load): Promise<Loaded> =>
  runLoad(mesh, ['ip', 'netns', 'exec', nodeOf(mesh, node).namespace], what);

const batchMs = 2000;

/** Makes calls until the returned function is called, by two processes whose batches overlap; resolves with all of them. */
export const loadUntilStopped = (
  mesh: MeshUnderTest,
  node: string,
  what: Omit<Load, 'count' | 'durationMs'>,
): (() => Promise<Loaded>) => {
  const stopped = { is: false };
  const total: Loaded = { calls: 0, statuses: {}, errors: [], latenciesMs: [], bodies: {} };
  const lane = async (): Promise<void> => {
    while (!stopped.is) {
      const { calls, statuses, errors } = await load(mesh, node, { ...what, durationMs: batchMs });
      total.calls += calls;
      total.errors.push(...errors);
      for (const [status, count] of Object.entries(statuses))
        total.statuses[status] = (total.statuses[status] ?? 0) + count;
    }
  };
  const lanes = Promise.all([lane(), lane()]);
  lanes.catch(() => undefined); // told when it is stopped
  return async () => {
    stopped.is = true;
    await lanes;
    return total;
  };
};

/** Applies a policy as a person would, from a file. */
export const applyPolicy = async (
  mesh: Pick<StackUnderTest, 'runDir'>,
  policy: MeshPolicy,
): Promise<CommandResult> => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-policy-'));
  const path = join(folder, 'policy.json');
  writeFileSync(path, JSON.stringify(policy));
  try {
    return await runCommand(mesh, [
      process.execPath,
      'platform/launcher/src/main.ts',
      'mesh:apply',
      '--policy',
      path,
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
};

/** As `applyPolicy`; throws when it is refused. */
export const mustApply = async (mesh: MeshUnderTest, policy: MeshPolicy): Promise<void> => {
  const { exitCode, stderr } = await applyPolicy(mesh, policy);
  if (exitCode !== 0) throw new Error(`the policy was refused: ${stderr}`);
};

/** One line of a sidecar's access log. */
export const AccessLine = z.object({
  method: z.string().nullish(),
  path: z.string().nullish(),
  response_code: z.number(),
  response_flags: z.string(),
  response_code_details: z.string().nullish(),
  duration_ms: z.number().nullish(),
  route_name: z.string().nullish(),
  upstream_cluster: z.string().nullish(),
  upstream_transport_failure_reason: z.string().nullish(),
  downstream_transport_failure_reason: z.string().nullish(),
  downstream_peer: z.string().nullish(),
  downstream_tls: z.string().nullish(),
  traceparent: z.string().nullish(),
  correlation_id: z.string().nullish(),
});
export type AccessLine = z.infer<typeof AccessLine>;

const linesOf = (path: string): string[] =>
  existsSync(path)
    ? readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('{') && line.endsWith('}'))
    : [];

/** What the sidecar with this folder has logged. */
export const accessLinesIn = (sidecarDir: string): AccessLine[] =>
  linesOf(join(sidecarDir, 'access.jsonl')).map((line) => AccessLine.parse(JSON.parse(line)));

/** What the sidecar of a node has logged, of the calls with this correlation id when one is given. */
export const accessLog = (mesh: MeshUnderTest, node: string, correlationId?: string): AccessLine[] =>
  accessLinesIn(nodeOf(mesh, node).sidecarDir).filter(
    (line) => correlationId === undefined || line.correlation_id === correlationId,
  );

const RequestLine = z.looseObject({
  msg: z.string(),
  route: z.string().optional(),
  correlationId: z.string().optional(),
});

/** Requests that a service itself has logged for a correlation id: its own count, whatever the network did. */
export const requestsSeenBy = (mesh: MeshUnderTest, node: string, correlationId: string): number =>
  linesOf(join(mesh.runDir, 'logs', `${node}.log`))
    .filter((line) => line.includes(correlationId))
    .map((line) => RequestLine.parse(JSON.parse(line)))
    .filter((line) => (line.msg === 'request' || line.msg === 'call') && line.correlationId === correlationId)
    .length;

const control = async (mesh: MeshUnderTest, method: string, path: string): Promise<Response> =>
  fetch(`http://127.0.0.1:${mesh.file.controlPort}${path}`, { method, signal: AbortSignal.timeout(300_000) });

/** Counters and gauges of the sidecar of a node, and of its agent, in Prometheus' text format. */
export const metricsOf = async (mesh: MeshUnderTest, node: string): Promise<string> => {
  const response = await control(mesh, 'GET', `/nodes/${node}/metrics`);
  return response.text();
};

/** Sum of the values of a metric whose labels match. */
export const metric = (text: string, name: string, labels = /(?:)/): number =>
  text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => labels.test(line))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);

/** Ends every sidecar, or starts them again; the services run on. */
export const sidecars = async (mesh: MeshUnderTest, action: 'stop' | 'start'): Promise<void> => {
  const response = await control(mesh, 'POST', `/sidecars/${action}`);
  if (!response.ok) throw new Error(`sidecars ${action}: ${await response.text()}`);
};

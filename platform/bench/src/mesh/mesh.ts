/**
 * `bench mesh`: a read of the product service from another node, through two sidecars with mutual TLS, against the same
 * read without them: the sidecars of the same mesh are ended for it, the services run on.
 */
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { memoryBytesOf } from '@parley/engines/procfs';
import { applyPolicy, engineHostWith, rendererOf, startMesh, type StackContext } from '@parley/launcher';
import { capturedMesh, labPolicy, type CapturedMesh, type MeshPolicy } from '@parley/mesh';
import type { BenchContext } from '../context.ts';
import { describe, format, percentile, runClaim, type ClaimResult, type Measured } from '../pairs.ts';

const CALLS = 2000;
const RATIO_MAX = 6;
const PORT_BASE = 21_000;
const effectDeadlineMs = 30_000;
const MEBIBYTE = 1024 * 1024;
/** Ticks a second of the times in /proc. */
const TICKS = 100;
const outputBytesMax = 4 * MEBIBYTE;

const nodeOf = ({ nodes }: CapturedMesh, name: string): CapturedMesh['nodes'][number] => {
  const node = nodes.find((candidate) => candidate.name === name);
  if (node === undefined) throw new RangeError(`no node ${name}`);
  return node;
};

const pidsIn = (namespace: string): number[] =>
  execFileSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' })
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 1);

/** Processor time of a process so far, in ms. */
const processorMs = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) / TICKS) * 1000;
};

/** Reads from the client's node; processor time is that of all processes of both nodes that were there before: service and sidecars. */
const measure = (mesh: CapturedMesh): Measured => {
  const client = nodeOf(mesh, 'client');
  const pids = [client, nodeOf(mesh, 'product-v1')].flatMap(({ namespace }) => pidsIn(namespace));
  const spent = (): number => pids.reduce((sum, pid) => sum + processorMs(pid), 0);
  const port = mesh.services.find(({ name }) => name === 'product')?.httpPort ?? 0;
  const script = join(import.meta.dirname, 'process.ts');
  const url = `http://product:${port}/api/v1/products?limit=1`;
  const before = spent();
  const printed = execFileSync(
    'ip',
    ['netns', 'exec', client.namespace, process.execPath, script, url, String(CALLS)],
    { encoding: 'utf8', maxBuffer: outputBytesMax },
  );
  const latenciesMs = JSON.parse(printed) as number[]; // printed by our own script
  return {
    figure: percentile(latenciesMs, 0.5),
    count: latenciesMs.length,
    expected: CALLS,
    also: {
      p99Ms: percentile(latenciesMs, 0.99),
      processorMsPerCall: (spent() - before) / CALLS,
    },
  };
};

const control = async ({ controlPort }: CapturedMesh, action: 'start' | 'stop'): Promise<void> => {
  const url = `http://127.0.0.1:${controlPort}/sidecars/${action}`;
  const response = await fetch(url, { method: 'POST', signal: AbortSignal.timeout(120_000) });
  if (!response.ok) throw new Error(`sidecars ${action}: ${await response.text()}`);
};

/** Memory, pages that processes share counted once: of the client's sidecar, and of what runs the mesh. */
const footprints = (mesh: CapturedMesh, runDir: string): Readonly<Record<string, number>> => {
  const pidOf = (name: string): number =>
    (JSON.parse(readFileSync(join(runDir, 'pids', `${name}.json`), 'utf8')) as { pid: number }).pid;
  return {
    sidecar: memoryBytesOf(pidsIn(nodeOf(mesh, 'client').namespace)),
    istiod: memoryBytesOf([pidOf('istiod')]),
    'kube-apiserver and etcd': memoryBytesOf([pidOf('kube-apiserver'), pidOf('etcd')]),
  };
};

/** From the start of an apply until the first answer that shows it: 418 by an injected abort on every call. */
const applyToEffect = async (
  mesh: CapturedMesh,
): Promise<{ readonly appliedMs: number; readonly effectMs: number }> => {
  const policy: MeshPolicy = {
    ...labPolicy,
    traffic: [
      {
        service: 'product',
        rules: [
          { name: 'all', split: [{ version: 'v1', weight: 100 }], abort: { httpStatus: 418, percent: 100 } },
        ],
      },
    ],
  };
  const port = mesh.services.find(({ name }) => name === 'product')?.httpPort ?? 0;
  const read = `(await fetch('http://product:${port}/api/v1/products?limit=1')).status`;
  // It polls before the policy is applied, so that its own start is not measured.
  const poll = `const end = Date.now() + ${effectDeadlineMs}; let polls = 0;
    while (${read} !== 418) { if (Date.now() > end) throw new Error('no effect'); if (polls++ === 20) console.log('polling'); }
    console.log(Date.now());`;
  const { namespace } = nodeOf(mesh, 'client');
  const args = ['netns', 'exec', namespace, process.execPath, '--input-type=module', '-e', poll];
  const polling = spawn('ip', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: polling.stdout })[Symbol.asyncIterator]();
  try {
    await lines.next();
    const startedAt = Date.now();
    await applyPolicy(mesh, policy);
    const appliedMs = Date.now() - startedAt;
    const line = await lines.next();
    if (line.done === true) throw new Error('the policy had no effect');
    return { appliedMs, effectMs: Number(line.value) - startedAt };
  } finally {
    polling.kill('SIGKILL');
    await applyPolicy(mesh, labPolicy);
  }
};

/** What the first side takes more than the second, by the medians. */
const addedBy = ({ a, b }: ClaimResult): string => {
  const more = (name: string): string =>
    format((a.also[name]?.median ?? Number.NaN) - (b.also[name]?.median ?? Number.NaN));
  return `${format(a.median - b.median)} ms at p50, ${more('p99Ms')} ms at p99, ${more('processorMsPerCall')} ms of processor time a call`;
};

/** Starts a mesh of its own, measures, and removes it. Needs root. */
export async function benchMesh(context: BenchContext): Promise<ClaimResult[]> {
  const { print, signal } = context;
  const runDir = await mkdtemp(join(tmpdir(), 'parley-bench-mesh-'));
  const stack: StackContext = { root: join(import.meta.dirname, '../../../..'), runDir, portBase: PORT_BASE };
  const output = { line: print, good: print, bad: print, dim: print };
  try {
    const mesh = await startMesh(stack, { engines: engineHostWith(rendererOf), output, signal });
    const file = capturedMesh(mesh.file);
    try {
      for (const [what, bytes] of Object.entries(footprints(file, runDir)))
        print(`  memory of ${what}: ${format(bytes / MEBIBYTE)} MiB`);
      const { appliedMs, effectMs } = await applyToEffect(file);
      print(`  from apply to effect: ${effectMs} ms; apply itself returned after ${appliedMs} ms`);
      let withSidecars = true;
      const side = async (wanted: boolean): Promise<Measured> => {
        signal.throwIfAborted();
        if (wanted !== withSidecars) await control(file, wanted ? 'start' : 'stop');
        withSidecars = wanted;
        return measure(file);
      };
      const result = await runClaim(
        {
          title: 'A read of the product service through two sidecars with mutual TLS, against one without',
          unit: 'ms (p50)',
          bound: { atMost: RATIO_MAX },
          a: { name: 'two sidecars, mTLS', run: () => side(true) },
          b: { name: 'direct', run: () => side(false) },
        },
        context,
      );
      print(describe(result));
      print(`  two sidecars add, medians: ${addedBy(result)}`);
      return [result];
    } finally {
      await mesh.stop();
    }
  } finally {
    await rm(runDir, { recursive: true, force: true });
  }
}

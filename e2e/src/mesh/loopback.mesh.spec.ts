import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { OrderResource } from '@parley/contracts/rest';
import { Endpoints } from '@parley/contracts/endpoints';
import { labPolicy, readMeshFile, spiffeIdOf, type MeshFile } from '@parley/mesh/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Customer } from '../client.ts';
import { evidence } from '../ledger/evidence.ts';
import type { StackUnderTest } from '../stack.ts';
import { waitFor } from '../wait.ts';
import { accessLinesIn, applyPolicy, meshNeeds, runLoad, type Loaded } from './mesh.ts';
import { toV1, withProductRules } from './traffic.ts';

const root = join(import.meta.dirname, '../../..');
const startMs = 240_000;
const settleMs = 20_000;
/** From the base of the mesh that the other tests have to that of this one; see `claimOwnBase`. */
const baseStep = 6000;
const PidFile = z.looseObject({ pid: z.int() });

/** Without the rights by which namespaces and rules are made, whoever runs the tests. */
const withoutRights =
  process.getuid?.() === 0
    ? ['setpriv', '--inh-caps=-all', '--bounding-set=-net_admin,-net_raw,-sys_admin', '--']
    : [];
/** Bits of those rights in what the kernel shows: CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN. */
const networkRights = (1n << 12n) | (1n << 13n) | (1n << 21n);

interface Running extends StackUnderTest {
  readonly launcher: ChildProcess;
  readonly printed: () => string;
}

/** Ends the mesh as Ctrl-C does, and waits until it is gone. */
const end = async (launcher: ChildProcess): Promise<void> => {
  if (launcher.exitCode !== null || launcher.signalCode !== null) return;
  const gone = once(launcher, 'exit');
  launcher.kill('SIGTERM');
  await gone;
};

const start = async (runDir: string, portBase: number): Promise<Running> => {
  const command = [process.execPath, 'platform/launcher/src/main.ts', 'mesh', '--loopback'];
  const [program = '', ...args] = [...withoutRights, ...command];
  const launcher = spawn(program, args, {
    cwd: root,
    env: {
      ...process.env,
      PARLEY_RUN_DIR: runDir,
      PARLEY_PORT_BASE: String(portBase),
      PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ''}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [launcher.stdout, launcher.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const endpoints = await waitFor(
    'the mesh is ready',
    () => {
      if (launcher.exitCode !== null) throw new Error(`it ended with ${launcher.exitCode}: ${printed}`);
      if (!printed.includes('Ctrl-C stops')) return undefined;
      return Endpoints.parse(JSON.parse(readFileSync(join(runDir, 'endpoints.json'), 'utf8')));
    },
    { deadlineMs: startMs, intervalMs: 200 },
  ).catch(async (error: unknown) => {
    await end(launcher);
    throw error;
  });
  return { launcher, runDir, endpoints, printed: () => printed };
};

/** Processes of the mesh that have any of the network's rights. */
const privileged = ({ runDir }: StackUnderTest): readonly string[] =>
  readdirSync(join(runDir, 'pids')).filter((file) => {
    const { pid } = PidFile.parse(JSON.parse(readFileSync(join(runDir, 'pids', file), 'utf8')));
    const rights = /^CapEff:\s*(\w+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return (BigInt(`0x${rights ?? 'f'}`) & networkRights) !== 0n;
  });

const nodeIn = ({ nodes }: MeshFile, name: string): MeshFile['nodes'][number] => {
  const node = nodes.find((candidate) => candidate.name === name);
  if (node === undefined) throw new RangeError(`no node ${name}`);
  return node;
};

describe.skipIf(meshNeeds !== undefined)('the loopback form of the mesh', () => {
  const runDir = mkdtempSync(join(tmpdir(), 'parley-loopback-'));
  let mesh: Running;
  let file: MeshFile;

  beforeAll(async () => {
    mesh = await start(runDir, Number(process.env.PARLEY_PORT_BASE) + baseStep);
    file = readMeshFile(runDir);
    return async () => {
      await end(mesh.launcher);
      rmSync(runDir, { recursive: true, force: true });
    };
  }, startMs + 10_000);

  /** Reads of the product service at the address `host`. */
  const read = (
    host: string,
    count: number,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Loaded> => {
    const port = file.services.find(({ name }) => name === 'product')?.httpPort ?? 0;
    const url = `http://${host}:${port}/api/v1/products?limit=2`;
    return runLoad(mesh, [], { url, count, concurrency: 4, headers });
  };

  it('says what it is, needs no right to the network, and has no namespace', () => {
    expect(mesh.printed()).toMatch(/loopback form: no namespaces, no capture/);
    expect(privileged(mesh)).toEqual([]);
    expect(file.nodes.map(({ namespace }) => namespace)).toEqual(file.nodes.map(() => undefined));
  });

  it('carries an order from the gateway to its shipment, every call between services under mutual TLS (FR-017)', async (context) => {
    const customer = await Customer.of(mesh, 'loopback');
    const answer = await customer.order({ productId: 'alder-tent', quantity: 1 });
    expect(answer.status).toBe(201);
    await customer.status(OrderResource.parse(answer.body).orderId, 'SHIPPED', settleMs);
    const peersAt = (node: string): ReadonlySet<string> =>
      new Set(
        accessLinesIn(nodeIn(file, node).sidecarDir)
          .filter((line) => line.upstream_cluster?.startsWith('inbound|') === true)
          .map((line) => `${line.downstream_tls ?? ''} ${line.downstream_peer ?? ''}`),
      );
    const seen = await waitFor(
      'the calls of the order in the logs of the sidecars',
      () => {
        const found = ['order-v1', 'product-v1', 'payment-v1'].map((node) => [...peersAt(node)].sort());
        return found.every((peers) => peers.length > 0) ? found : undefined;
      },
      { deadlineMs: settleMs },
    );
    const by = (account: string): string => `TLSv1.3 ${spiffeIdOf(account)}`;
    expect(seen[0]).toEqual([by('gateway')]);
    expect(seen[1]).toContain(by('order'));
    expect(seen[2]).toEqual([by('order')]);
    evidence(context, ['FR-017'], {
      form: 'loopback',
      rights: 'none to make namespaces or rules',
      peers: seen,
    });
  });

  it('refuses plaintext at a sidecar', async () => {
    const refused = await read(nodeIn(file, 'product-v1').address, 5);
    expect(refused.statuses).toEqual({ error: 5 });
  });

  it('has a header count before a weight, sends its share to a canary, and aborts its share (FR-018)', async (context) => {
    const atClient = nodeIn(file, 'client').loopback?.outbound.product ?? '';
    const at = (node: string, correlationId?: string): number =>
      accessLinesIn(nodeIn(file, node).sidecarDir).filter(
        (line) => correlationId === undefined || line.correlation_id === correlationId,
      ).length;
    const policy = withProductRules([
      {
        name: 'forced',
        when: { header: { name: 'x-canary', value: 'always' } },
        split: [{ version: 'v2', weight: 100 }],
      },
      {
        name: 'aborted',
        when: { header: { name: 'x-fault', value: 'abort' } },
        split: toV1.split,
        abort: { httpStatus: 503, percent: 20 },
      },
      {
        name: 'canary',
        split: [
          { version: 'v1', weight: 80 },
          { version: 'v2', weight: 20 },
        ],
      },
    ]);
    expect(await applyPolicy(mesh, policy)).toMatchObject({ exitCode: 0 });
    try {
      await waitFor(
        'the policy has taken effect',
        async () => ((await read(atClient, 20)).calls === 20 && at('product-v2') > 0 ? true : undefined),
        { deadlineMs: settleMs },
      );
      const calls = 500;
      const weighed = randomUUID();
      expect((await read(atClient, calls, { 'x-correlation-id': weighed })).statuses).toEqual({
        '200': calls,
      });
      const toV2 = await waitFor(
        'every call in the logs of both versions',
        () =>
          at('product-v1', weighed) + at('product-v2', weighed) === calls
            ? at('product-v2', weighed)
            : undefined,
        { deadlineMs: settleMs },
      );
      expect(Math.abs(toV2 / calls - 0.2)).toBeLessThan(0.1);
      const forced = 50;
      const always = { 'x-canary': 'always', 'x-correlation-id': randomUUID() };
      expect((await read(atClient, forced, always)).statuses).toEqual({ '200': forced });
      await waitFor(
        'every forced call in the log of the canary',
        () => (at('product-v2', always['x-correlation-id']) === forced ? true : undefined),
        { deadlineMs: settleMs },
      );
      expect(at('product-v1', always['x-correlation-id'])).toBe(0);
      const { statuses } = await read(atClient, calls, { 'x-fault': 'abort' });
      const aborted = statuses['503'] ?? 0;
      expect(statuses).toEqual({ '200': calls - aborted, '503': aborted });
      expect(Math.abs(aborted / calls - 0.2)).toBeLessThan(0.1);
      evidence(context, ['FR-018'], { form: 'loopback', calls, toV2, forced, aborted });
    } finally {
      expect(await applyPolicy(mesh, labPolicy)).toMatchObject({ exitCode: 0 });
    }
  });
});

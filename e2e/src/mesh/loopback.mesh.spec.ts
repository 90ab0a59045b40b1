import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Endpoints } from '@parley/contracts/endpoints';
import { cacheDir, processesBelow } from '@parley/engines/testing';
import { labPolicy, readMeshFile, spiffeIdOf, type MeshFile } from '@parley/mesh/testing';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Customer } from '../client.ts';
import { evidence } from '../ledger/evidence.ts';
import type { StackUnderTest } from '../stack.ts';
import { NeverError, waitFor } from '../wait.ts';
import { accessLinesIn, applyPolicy, runLoad, type Loaded } from './mesh.ts';
import { toV1, withProductRules } from './traffic.ts';

const root = join(import.meta.dirname, '../../..');
const startMs = 600_000;
const settleMs = 120_000;
/** More than everything in the hub takes to stop, one after the other. */
const goneMs = 300_000;
/** From the base of the mesh that the other tests have to that of this one; see `claimOwnBase`. */
const baseStep = 6000;
const PidFile = z.looseObject({ pid: z.int() });

/** Rights of a process as bits, by what the kernel shows of it. */
const rightsIn = (status: string): bigint => BigInt(`0x${/^CapEff:\s*(\w+)$/m.exec(status)?.[1] ?? 'f'}`);
/** Bits of CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN. */
const networkRights = (1n << 12n) | (1n << 13n) | (1n << 21n);
/** As whom it runs when root runs the tests. */
const userId = 1000;
/**
 * An ordinary user, whoever runs the tests: one who may make neither namespaces nor rules. Clone, engines and run folder
 * are root's when root runs them, so root is that user in a namespace of users, where it has no right of root's.
 */
const asOrdinaryUser =
  process.getuid?.() === 0
    ? ['unshare', '--user', `--map-user=${userId}`, `--map-group=${userId}`, '--']
    : [];

/** What is missing for this form on this machine; undefined when it runs. */
const loopbackNeeds = ((): string | undefined => {
  const [program, ...words] = asOrdinaryUser;
  const mayBeOne = program === undefined || spawnSync(program, [...words, 'true']).status === 0;
  return process.env.PARLEY_LOOPBACK_NEEDS ?? (mayBeOne ? undefined : 'an ordinary user to run the tests');
})();

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

const portBase = Number(process.env.PARLEY_PORT_BASE) + baseStep;

/** As a person types it, in a process group of its own. */
const launch = (runDir: string, base: number): ChildProcess => {
  const command = [process.execPath, 'platform/launcher/src/main.ts', 'mesh'];
  const [program = '', ...args] = [...asOrdinaryUser, ...command];
  const home = join(runDir, 'home');
  mkdirSync(home);
  return spawn(program, args, {
    cwd: root,
    detached: true,
    env: {
      ...process.env,
      HOME: home,
      TMPDIR: home,
      PARLEY_CACHE_DIR: cacheDir(),
      PARLEY_RUN_DIR: runDir,
      PARLEY_PORT_BASE: String(base),
      PATH: `${dirname(process.execPath)}:${process.env.PATH ?? ''}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
};

const start = async (runDir: string): Promise<Running> => {
  const launcher = launch(runDir, portBase);
  let printed = '';
  for (const stream of [launcher.stdout, launcher.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const endpoints = await waitFor(
    'the mesh is ready',
    () => {
      if (launcher.exitCode !== null) throw new NeverError(`it ended with ${launcher.exitCode}: ${printed}`);
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

/** Processes of the mesh: who they are by their own view, and whether they have any of the network's rights. */
const processesOf = ({
  runDir,
}: StackUnderTest): readonly { readonly user: number; readonly isPrivileged: boolean }[] =>
  readdirSync(join(runDir, 'pids')).map((file) => {
    const { pid } = PidFile.parse(JSON.parse(readFileSync(join(runDir, 'pids', file), 'utf8')));
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const outside = /^Uid:\s*(\d+)/m.exec(status)?.[1];
    const inside = /^\s*(\d+)\s+0\s+1\s*$/.exec(readFileSync(`/proc/${pid}/uid_map`, 'utf8'))?.[1];
    return { user: Number(inside ?? outside), isPrivileged: (rightsIn(status) & networkRights) !== 0n };
  });

/** Where etcd listens for the API server. */
const etcdUrlOf = ({ runDir }: StackUnderTest): string => {
  const { pid } = PidFile.parse(JSON.parse(readFileSync(join(runDir, 'pids', 'etcd.json'), 'utf8')));
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  return words[words.indexOf('--listen-client-urls') + 1] ?? '';
};

/** How somebody without a certificate is answered. */
const answerTo = (url: string): Promise<number | string> =>
  new Promise((resolve) => {
    const options = { rejectUnauthorized: false, agent: false, timeout: settleMs };
    const sent = request(url, options, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('timeout', () => sent.destroy(new Error('timeout')));
    sent.on('error', (error) => {
      resolve(error.message);
    });
    sent.end();
  });

const nodeIn = ({ nodes }: MeshFile, name: string): MeshFile['nodes'][number] => {
  const node = nodes.find((candidate) => candidate.name === name);
  if (node === undefined) throw new RangeError(`no node ${name}`);
  return node;
};

it('a mesh in the loopback form whose launcher is killed while it starts is stopped by its hub, where no guard would do it', async (context) => {
  if (loopbackNeeds !== undefined) context.skip(`needs: ${loopbackNeeds}`);
  const runDir = mkdtempSync(join(tmpdir(), 'parley-loopback-'));
  const launcher = launch(runDir, portBase + baseStep); // the next one may start before its ports are free
  launcher.stdout?.resume();
  launcher.stderr?.resume();
  const gone = once(launcher, 'exit');
  const started = (): readonly string[] => {
    if (launcher.exitCode !== null) throw new NeverError(`it ended with ${launcher.exitCode}`);
    const folder = join(runDir, 'pids');
    return existsSync(folder) ? readdirSync(folder) : [];
  };
  try {
    const pids = await waitFor(
      'a sidecar to run',
      () => {
        const files = started();
        if (!files.some((file) => file.startsWith('sidecar-'))) return undefined;
        return files.map(
          (file) => PidFile.parse(JSON.parse(readFileSync(join(runDir, 'pids', file), 'utf8'))).pid,
        );
      },
      { deadlineMs: startMs, intervalMs: 200 },
    );
    process.kill(-(launcher.pid ?? 0), 'SIGKILL');
    await gone;
    const areGone = (): true | undefined =>
      pids.some((pid) => existsSync(`/proc/${pid}`)) || processesBelow(runDir).length > 0 ? undefined : true;
    await waitFor('no process to be left', areGone, { deadlineMs: goneMs, intervalMs: 500 });
  } finally {
    if (launcher.exitCode === null && launcher.signalCode === null) launcher.kill('SIGTERM');
    await gone;
    rmSync(runDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
});

describe('the loopback form of the mesh', () => {
  let mesh: Running;
  let file: MeshFile;

  beforeAll(async () => {
    if (loopbackNeeds !== undefined) return undefined;
    const runDir = mkdtempSync(join(tmpdir(), 'parley-loopback-'));
    const remove = (): void => {
      rmSync(runDir, { recursive: true, force: true });
    };
    try {
      mesh = await start(runDir);
    } catch (error) {
      remove();
      throw error;
    }
    file = readMeshFile(runDir);
    return async () => {
      await end(mesh.launcher);
      remove();
    };
  }, startMs + 10_000);

  beforeEach((context) => {
    if (loopbackNeeds !== undefined) context.skip(`needs: ${loopbackNeeds}`);
  });

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

  it('is what an ordinary user gets, is said with what the other form needs, and has neither a right to the network nor a namespace', () => {
    expect(mesh.printed()).toMatch(/loopback form: no namespaces, no capture/);
    expect(mesh.printed()).toMatch(/captured traffic needs root: for network namespaces/);
    const processes = processesOf(mesh);
    expect(processes.length).toBeGreaterThan(15);
    expect(processes.filter(({ isPrivileged }) => isPrivileged)).toEqual([]);
    const users = new Set(processes.map(({ user }) => user));
    expect([...users]).toEqual([asOrdinaryUser.length > 0 ? userId : process.getuid?.()]);
    expect(file.nodes.map(({ namespace }) => namespace)).toEqual(file.nodes.map(() => undefined));
  });

  it('lets nobody but the API server at etcd, and nobody without its token at the API server', async () => {
    const etcd = etcdUrlOf(mesh);
    expect(etcd).toMatch(/^https:/);
    expect(await answerTo(`${etcd}/v3/kv/range`)).toMatch(/alert (bad certificate|certificate required)/);
    const apiServer = /server: (https:\S+)/.exec(readFileSync(file.kubeconfig, 'utf8'))?.[1] ?? '';
    expect([401, 403]).toContain(await answerTo(`${apiServer}/api/v1/namespaces`));
  });

  it('carries an order from the gateway to its shipment, every call between services under mutual TLS (FR-017)', async (context) => {
    const customer = await Customer.of(mesh, 'loopback');
    const { orderId } = await customer.ordered({ productId: 'alder-tent', quantity: 1 });
    await customer.status(orderId, 'SHIPPED', settleMs);
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
      user: 'an ordinary one, without rights to make namespaces or rules',
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

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { obtainMeshTools, run } from '@parley/engines';
import { stackMark } from '@parley/engines/procfs';
import { meshFileOf, type MeshFile } from '@parley/mesh';
import { CommandError, exitCodes, messageOf } from '../cli/exit.ts';
import type { Output } from '../cli/output.ts';
import { endpointsOf } from '../stack/addresses.ts';
import { host } from '../stack/instances.ts';
import type { StackContext } from '../stack/context.ts';
import { removeEndpoints, writeEndpoints } from '../stack/endpoints-file.ts';
import type { EngineHost } from '../stack/engine-host.ts';
import { endLeftovers, removeTraces } from '../stack/leftovers.ts';
import { acquireLock } from '../stack/lock.ts';
import { makeNamespaces, removeAbandonedNamespaces, removeNamespacesOf } from './namespaces.ts';
import { namespaceOf, ownOwner, planMesh } from './plan.ts';
import { meshEngines } from './ports.ts';
import { relayTargets } from './relay.ts';

const graceMs = 12_000;
const reasonCharsMax = 300;
/** Longer than everything in the hub takes to stop, one after the other. */
const hubGraceMs = 90_000;

/** A mesh that runs. */
export interface Mesh {
  readonly file: MeshFile;
  /** Resolves when it ended without being asked to. */
  readonly lost: Promise<void>;
  /** Stops all of it and removes its namespaces. */
  stop(): Promise<void>;
}

/** How to start a mesh. */
export interface MeshOptions {
  readonly engines: EngineHost;
  readonly output: Output;
  /** Aborting ends the start; what was started is stopped. */
  readonly signal: AbortSignal;
}

/** Why a mesh with captured traffic cannot run here; undefined when it can. */
const refusalOfMesh = (): string | undefined => {
  if (process.platform !== 'linux') return 'Linux: network namespaces and iptables';
  if (process.getuid?.() !== 0) return 'root: for network namespaces and the rules that capture traffic';
  return undefined;
};

const probeDeadlineMs = 10_000;

/**
 * What this machine lacks for a mesh, in words that follow "needs"; undefined when one can be started. Makes a namespace
 * to see whether it may, then builds what a mesh runs on when it is not there, which takes minutes. Rejects when that
 * fails: a build that is broken is no lack of the machine.
 */
export const missingForMesh = async (control: {
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}): Promise<string | undefined> => {
  const refusal = refusalOfMesh();
  if (refusal !== undefined) return refusal;
  const probe = namespaceOf(ownOwner(), 'probe');
  try {
    await run('ip', ['netns', 'add', probe], { deadlineMs: probeDeadlineMs });
    await run('ip', ['netns', 'del', probe], { deadlineMs: probeDeadlineMs });
  } catch (error) {
    return `the right to make network namespaces: ${messageOf(error).slice(0, reasonCharsMax)}`;
  }
  await obtainMeshTools(control);
  return undefined;
};

const startHub = (runDir: string, { hub, portBase }: MeshFile): ChildProcess =>
  spawn('ip', ['netns', 'exec', hub.namespace, process.execPath, join(import.meta.dirname, 'hub.ts')], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    detached: true, // Ctrl-C reaches the launcher only
    env: {
      ...process.env,
      PARLEY_RUN_DIR: runDir,
      PARLEY_PORT_BASE: String(portBase),
      [stackMark]: runDir,
    },
  });

/** Listens in the machine's own network for the hub, which accepts. */
const openRelays = async (mesh: MeshFile, hub: ChildProcess): Promise<readonly Server[]> =>
  Promise.all(
    [...relayTargets(mesh).keys()].map(async (port) => {
      const server = createServer();
      server.listen(port, host);
      await once(server, 'listening');
      // The hub alone accepts from then on: a server that this process kept would take some of the connections.
      hub.send(port, server, () => server.close());
      return server;
    }),
  );

const endHub = async (hub: ChildProcess): Promise<void> => {
  if (hub.exitCode !== null || hub.signalCode !== null) return;
  const gone = once(hub, 'exit');
  hub.kill('SIGTERM');
  const timer = setTimeout(() => hub.kill('SIGKILL'), hubGraceMs);
  await gone;
  clearTimeout(timer);
};

const untilReady = async (hub: ChildProcess, signal: AbortSignal): Promise<void> => {
  const ready = Promise.withResolvers<undefined>();
  hub.on('message', () => {
    ready.resolve(undefined); // the only one there is
  });
  hub.on('exit', () => {
    ready.reject(
      new CommandError(exitCodes.environment, 'the mesh did not start; its logs are in the run folder'),
    );
  });
  signal.addEventListener('abort', () => {
    ready.reject(signal.reason);
  });
  signal.throwIfAborted();
  await ready.promise;
};

/**
 * Starts the five services in a service mesh of their own: a network namespace for each instance, a sidecar in each,
 * Istio's control plane, the engines, the gateway in front. Resolves when all of it is ready and endpoints.json is
 * written. Needs root; rejects with exit code 3 and what is missing otherwise. What failed half-way is undone.
 */
export const startMesh = async (
  context: StackContext,
  { engines, output, signal }: MeshOptions,
): Promise<Mesh> => {
  const { runDir, portBase } = context;
  const refusal = refusalOfMesh();
  if (refusal !== undefined)
    throw new CommandError(exitCodes.environment, `the mesh cannot run here; it needs ${refusal}`);
  const release = await acquireLock(runDir, portBase);
  const owner = ownOwner();
  const say = (line: string): void => {
    output.line(line);
  };
  let hub: ChildProcess | undefined;
  let relays: readonly Server[] = [];
  const stop = async (): Promise<void> => {
    await removeEndpoints(runDir);
    if (hub !== undefined) await endHub(hub);
    for (const server of relays) server.close();
    await endLeftovers(runDir, graceMs);
    await removeNamespacesOf(owner);
    removeTraces(runDir);
    await release();
  };
  try {
    const abandoned = await removeAbandonedNamespaces();
    if (abandoned > 0) output.line(`removed ${abandoned} namespaces of a mesh that was killed`);
    await endLeftovers(runDir, graceMs);
    const tools = await obtainMeshTools({
      say: (line) => {
        say(`obtaining the mesh: ${line}`);
      },
      signal,
      marks: { [stackMark]: runDir },
    });
    await engines.obtain(runDir, meshEngines, { say, signal });
    const file = planMesh(context, { owner, tools });
    mkdirSync(runDir, { recursive: true });
    writeFileSync(meshFileOf(runDir), `${JSON.stringify(file, undefined, 2)}\n`);
    await makeNamespaces(file);
    output.good(`${file.nodes.length + 1} network namespaces`);
    hub = startHub(runDir, file);
    const lost = once(hub, 'exit').then(() => undefined);
    relays = await openRelays(file, hub);
    await untilReady(hub, signal);
    await writeEndpoints(runDir, endpointsOf({ portBase, engines: meshEngines }));
    return { file, lost, stop };
  } catch (error) {
    await stop().catch((cause: unknown) => {
      output.bad(messageOf(cause));
    });
    throw error;
  }
};

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { EnvironmentError, obtainMeshPrerequisites, obtainMeshTools } from '@parley/engines';
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
import { guardNamespaces } from './guard.ts';
import {
  inNamespace,
  makeNamespaces,
  probeNamespaces,
  removeAbandonedNamespaces,
  removeNamespacesOf,
} from './namespaces.ts';
import { namespaceOf, ownOwner, planMesh, type PlanOptions } from './plan.ts';
import { planLoopback } from './plan-loopback.ts';
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
  /** Default: `captured`, which needs root. */
  readonly form?: MeshFile['form'];
  readonly engines: EngineHost;
  readonly output: Output;
  /** Aborting ends the start; what was started is stopped. */
  readonly signal: AbortSignal;
}

/** Why a mesh with captured traffic cannot run here; undefined when it can. */
export const refusalOfCapture = (): string | undefined => {
  if (process.platform !== 'linux') return 'Linux: network namespaces and iptables';
  if (process.getuid?.() !== 0) return 'root: for network namespaces and the rules that capture traffic';
  return undefined;
};

/** Why a mesh without capture cannot run here; undefined when it can. */
const refusalOfLoopback = (): string | undefined =>
  process.platform === 'linux' ? undefined : 'Linux: every address of 127.0.0.0/8, and programs built for it';

/** What of the kernel's network this machine does not let a mesh use, although it is root. */
const refusalOfKernel = async (): Promise<string | undefined> => {
  try {
    await probeNamespaces(namespaceOf(ownOwner(), 'probe'));
    return undefined;
  } catch (error) {
    return `the right to make network namespaces with rules of their own: ${messageOf(error).slice(0, reasonCharsMax)}`;
  }
};

/**
 * The missing prerequisites of a mesh on this machine, as text that follows "needs"; undefined when a mesh can be started.
 * Creates a network namespace with links and rules as a probe, then builds the missing binaries of the mesh, which takes
 * minutes. Rejects when the build fails: that is an error and no missing prerequisite.
 */
export const missingForMesh = async (control: {
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}): Promise<string | undefined> => {
  const refusal = refusalOfCapture();
  if (refusal !== undefined) return refusal;
  await obtainMeshPrerequisites(control);
  const kernel = await refusalOfKernel();
  if (kernel !== undefined) return kernel;
  await obtainMeshTools(control);
  return undefined;
};

/** As `missingForMesh`, for the loopback form, which changes nothing of the kernel's network. Builds the same binaries. */
export const missingForLoopback = async (control: {
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}): Promise<string | undefined> => {
  const refusal = refusalOfLoopback();
  if (refusal !== undefined) return refusal;
  try {
    await obtainMeshTools({ form: 'loopback', ...control });
    return undefined;
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    return error.message;
  }
};

const startHub = (runDir: string, { hub, portBase }: MeshFile): ChildProcess => {
  const command = inNamespace(hub.namespace, [process.execPath, join(import.meta.dirname, 'hub.ts')]);
  const [program = '', ...args] = command;
  return spawn(program, args, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    detached: true, // Ctrl-C reaches the launcher only
    env: {
      ...process.env,
      PARLEY_RUN_DIR: runDir,
      PARLEY_PORT_BASE: String(portBase),
      [stackMark]: runDir,
    },
  });
};

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
  signal.throwIfAborted();
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
  await ready.promise;
};

const refuse = (refusal: string | undefined): void => {
  if (refusal !== undefined)
    throw new CommandError(
      exitCodes.environment,
      `the mesh cannot run here; it needs ${refusal}. Without capture: npm run mesh -- --loopback`,
    );
};

/** Writes mesh.json, and makes the namespaces of a form that has some. */
const plannedMesh = async (
  context: StackContext,
  { form, output, ...plan }: PlanOptions & { readonly form: MeshFile['form']; readonly output: Output },
): Promise<MeshFile> => {
  const { runDir } = context;
  mkdirSync(runDir, { recursive: true });
  const write = (file: MeshFile): void => {
    writeFileSync(meshFileOf(runDir), `${JSON.stringify(file, undefined, 2)}\n`);
  };
  if (form === 'loopback') {
    const file = planLoopback(context, plan);
    write(file);
    return file;
  }
  const file = planMesh(context, plan);
  write(file);
  await makeNamespaces(file);
  output.good(`${file.nodes.length + 1} network namespaces`);
  return file;
};

/**
 * Starts the five services in a service mesh of their own: a network namespace for each instance unless the form is
 * `loopback`, a sidecar for each, Istio's control plane, the engines, the gateway in front. Resolves when all of it is
 * ready and endpoints.json is written. Rejects with exit code 3 and what is missing where the form cannot run. What
 * failed half-way is undone.
 */
export const startMesh = async (
  context: StackContext,
  { form = 'captured', engines, output, signal }: MeshOptions,
): Promise<Mesh> => {
  const { runDir, portBase } = context;
  refuse(form === 'captured' ? refusalOfCapture() : refusalOfLoopback());
  const release = await acquireLock(runDir, portBase);
  const owner = ownOwner();
  const say = (line: string): void => {
    output.line(line);
  };
  let hub: ChildProcess | undefined;
  let relays: readonly Server[] = [];
  let endGuard = (): void => undefined;
  const stop = async (): Promise<void> => {
    await removeEndpoints(runDir);
    if (hub !== undefined) await endHub(hub);
    for (const server of relays) server.close();
    await endLeftovers(runDir, graceMs);
    if (form === 'captured') await removeNamespacesOf(owner);
    endGuard();
    removeTraces(runDir);
    await release();
  };
  try {
    const abandoned = form === 'captured' ? await removeAbandonedNamespaces() : 0;
    if (abandoned > 0) output.line(`removed ${abandoned} namespaces of a mesh that was killed`);
    await endLeftovers(runDir, graceMs);
    const control = {
      form,
      say: (line: string) => {
        say(`obtaining the mesh: ${line}`);
      },
      signal,
      marks: { [stackMark]: runDir },
    };
    await obtainMeshPrerequisites(control);
    if (form === 'captured') {
      endGuard = await guardNamespaces();
      refuse(await refusalOfKernel());
    }
    const tools = await obtainMeshTools(control);
    await engines.obtain(runDir, meshEngines, { say, signal });
    const file = await plannedMesh(context, { form, owner, tools, output });
    hub = startHub(runDir, file);
    const lost = once(hub, 'exit').then(() => undefined);
    if (form === 'captured') relays = await openRelays(file, hub);
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

import { once } from 'node:events';
import { Server } from 'node:net';
import { dirname } from 'node:path';
import { watchOutput } from '@parley/cli';
import { envoyBinary, meshToolsAt, portsFor, startEngine, type EngineName } from '@parley/engines';
import { answersOk } from '@parley/engines/probe';
import { createAuthority, labPolicy, readMeshFile, type MeshFile } from '@parley/mesh';
import { messageOf } from '../cli/exit.ts';
import { outputTo, type Output } from '../cli/output.ts';
import { abortOnSignals } from '../commands/signals.ts';
import { runDirFrom } from '../stack/context.ts';
import { endLeftovers } from '../stack/leftovers.ts';
import { applyPolicy } from './apply.ts';
import { listenForControl } from './control.ts';
import { startControlPlane } from './control-plane.ts';
import { gatewayHostOf, writeMeshGateway } from './gateway.ts';
import { startProcess, type MeshProcess } from './processes.ts';
import { refusalsIn } from './refusals.ts';
import { relay, relayTargets } from './relay.ts';
import { isServiceNode, keepService } from './services.ts';
import { sidecarsOf, type Sidecars } from './sidecars.ts';
import { meshStatus, nodeMetrics } from './status.ts';

/*
 * The process in the hub's namespace, if there is one: starts everything of a mesh there and in the nodes' namespaces, and stops it on
 * SIGTERM or when the launcher that started it is gone. `mesh.json` in the run folder says what is to run.
 */
const gatewayReadyMs = 60_000;
const gatewayGraceMs = 5000;
const leftoverGraceMs = 8000;

/** Everything that was started, in order, so that it is stopped in the other one. */
class Started {
  readonly #stops: (() => Promise<void>)[] = [];

  add(stop: () => Promise<void>): void {
    this.#stops.push(stop);
  }

  readonly addProcess = (process: MeshProcess): void => {
    this.add(() => process.stop());
  };

  async stop(output: Output): Promise<void> {
    for (const stop of this.#stops.splice(0).reverse())
      await stop().catch((error: unknown) => {
        output.bad(messageOf(error));
      });
  }
}

/** What the parts of a start share. */
interface HubContext {
  readonly mesh: MeshFile;
  readonly runDir: string;
  readonly output: Output;
  readonly started: Started;
  /** Aborted when all is to end: services and gateway are not waited for any longer. */
  readonly signal: AbortSignal;
}

const timed = async (what: string, output: Output, act: () => Promise<unknown>): Promise<void> => {
  const startedAt = performance.now();
  await act();
  output.good(`${what} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
};

const startEngines = async ({ mesh, runDir, output, started }: HubContext): Promise<void> => {
  const start = async (name: EngineName): Promise<void> => {
    const engine = await startEngine(name, { runDir, ports: portsFor(mesh.portBase) });
    started.add(() => engine.stop());
    await engine.ready;
  };
  await timed('engines are ready', output, () =>
    Promise.all([start('kafka').then(() => start('registry')), start('rabbitmq'), start('zipkin')]),
  );
};

const startMesh = async ({ mesh, runDir, output, started }: HubContext): Promise<Sidecars> => {
  const tools = meshToolsAt(dirname(dirname(mesh.tools.kubectl)));
  const authority = await createAuthority('mesh');
  await timed('the control plane is ready', output, () =>
    startControlPlane({ mesh, runDir, tools, authority, output }, started.addProcess),
  );
  await timed('the policy is applied', output, () => applyPolicy(mesh, labPolicy));
  const sidecars = sidecarsOf({
    mesh,
    runDir,
    tools,
    envoy: await envoyBinary(),
    authority,
    output,
  });
  started.add(() => sidecars.stop());
  await timed('the sidecars are ready', output, () => sidecars.start());
  return sidecars;
};

const startServices = async ({ mesh, runDir, output, started, signal }: HubContext): Promise<void> => {
  const nodes = mesh.nodes.filter(isServiceNode);
  const start = async (node: (typeof nodes)[number]): Promise<void> => {
    const service = await keepService(node, { runDir, mesh, output, signal });
    started.add(() => service.stop());
  };
  await timed('the services are ready', output, () => Promise.all(nodes.map(start)));
};

const startGateway = async ({ mesh, runDir, output, started, signal }: HubContext): Promise<void> => {
  const node = mesh.nodes.find(({ name }) => name === 'gateway');
  if (node === undefined) throw new RangeError('a mesh without a gateway');
  const config = await writeMeshGateway(runDir, mesh);
  const fixed = [
    '--disable-hot-restart',
    '--concurrency',
    '1',
    '-l',
    'info',
    '--file-flush-interval-msec',
    '200',
  ];
  const ready = `http://${gatewayHostOf(node)}:${portsFor(mesh.portBase).gatewayAdmin}/ready`;
  await timed('the gateway is ready', output, async () => {
    const gateway = await startProcess({
      name: 'envoy',
      runDir,
      ...(node.namespace === undefined ? {} : { namespace: node.namespace }),
      cwd: runDir,
      command: [await envoyBinary(), '-c', config, ...fixed],
      isReady: () => answersOk(ready),
      signal,
      readyDeadlineMs: gatewayReadyMs,
      graceMs: gatewayGraceMs,
      output,
    });
    started.addProcess(gateway);
  });
};

const startAll = async (context: HubContext): Promise<void> => {
  const { mesh, runDir, output, started } = context;
  const refusalsOf = refusalsIn(runDir, mesh.nodes);
  const results = await Promise.allSettled([startEngines(context), startMesh(context)]);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  const [, inMesh] = results;
  const sidecars = inMesh.status === 'fulfilled' ? inMesh.value : undefined;
  await startServices(context);
  await startGateway(context);
  const control = await listenForControl(mesh.controlPort, {
    status: async () => ({ nodes: await meshStatus(mesh, refusalsOf) }),
    metrics: (name) => nodeMetrics(mesh, name, refusalsOf),
    stopSidecars: () => sidecars?.stop() ?? Promise.resolve(),
    startSidecars: () => sidecars?.start() ?? Promise.resolve(),
  });
  started.add(() => {
    control.close();
    return Promise.resolve();
  });
  output.good('the mesh is ready');
};

const output = outputTo(process.stdout);
const runDir = runDirFrom(process.env);
const mesh = readMeshFile(runDir);
const started = new Started();
const targets = relayTargets(mesh);
process.on('message', (message, handle) => {
  const target = typeof message === 'number' ? targets.get(message) : undefined;
  if (target !== undefined && handle instanceof Server) relay(handle, target);
});
const ending = new AbortController();
const ended = once(ending.signal, 'abort');
const end = (): void => {
  ending.abort();
};
abortOnSignals(end);
process.on('disconnect', end); // the launcher was killed
watchOutput({ closed: end, failed: end }); // with whoever read what it and we say
if (!process.connected) end(); // it was gone before we listened
try {
  const { signal } = ending;
  if (!signal.aborted) await Promise.race([startAll({ mesh, runDir, output, started, signal }), ended]);
  // The launcher may go as this is said, which is no failure of ours: without a callback it would end us here.
  if (!signal.aborted) process.send?.('ready', undefined, undefined, () => undefined);
  await ended;
} catch (error) {
  output.bad(messageOf(error));
  process.exitCode = 3;
} finally {
  end();
  await started.stop(output);
  await endLeftovers(runDir, leftoverGraceMs); // what was about to start when it was to end
  if (process.connected) process.disconnect();
}
process.exit();

import { readFileSync, rmSync } from 'node:fs';
import { typedPath } from '@parley/cli';
import { isRunning } from '@parley/engines/procfs';
import { waitUntil } from '@parley/engines/wait';
import {
  labPolicy,
  meshFileOf,
  parsePolicy,
  readMeshFile,
  type MeshFile,
  type MeshPolicy,
} from '@parley/mesh';
import { stringOption, type Command, type OptionValues } from '../cli/command.ts';
import { CommandError, exitCodes, messageOf, type ExitCode } from '../cli/exit.ts';
import { outputTo, type Output } from '../cli/output.ts';
import { formatTable } from '../cli/table.ts';
import { applyPolicy, diffPolicy } from '../mesh/apply.ts';
import { refusalOfCapture, startMesh } from '../mesh/mesh.ts';
import { removeAbandonedNamespaces } from '../mesh/namespaces.ts';
import { NodeStatus } from '../mesh/status.ts';
import { contextFrom, type StackContext } from '../stack/context.ts';
import type { EngineHost } from '../stack/engine-host.ts';
import { endLeftovers, removeTraces } from '../stack/leftovers.ts';
import { holderOf } from '../stack/lock.ts';
import { abortOnSignals } from './signals.ts';
import { z } from 'zod';

const stopDeadlineMs = 120_000;
const leftoverGraceMs = 12_000;
const statusTimeoutMs = 10_000;

/** A mesh has a run folder and ports of its own, so that it never meets the stack of `npm run dev`. */
const meshContext = (): StackContext =>
  contextFrom({ PARLEY_RUN_DIR: '.parley-mesh', PARLEY_PORT_BASE: '6000', ...process.env });

const runningMesh = async (): Promise<MeshFile> => {
  const { runDir } = meshContext();
  if ((await holderOf(runDir)) === undefined)
    throw new CommandError(exitCodes.environment, 'no mesh is running. Start one with npm run mesh');
  try {
    return readMeshFile(runDir);
  } catch (error) {
    throw new CommandError(
      exitCodes.environment,
      `${meshFileOf(runDir)} cannot be read: ${messageOf(error)}`,
    );
  }
};

const down = async (): Promise<ExitCode> => {
  const { runDir } = meshContext();
  const output = outputTo(process.stdout);
  const holder = await holderOf(runDir);
  if (holder !== undefined) {
    output.line(`stopping the mesh (launcher pid ${holder.pid}) …`);
    process.kill(holder.pid, 'SIGTERM');
    const gone = (): boolean => !isRunning(holder.pid, holder.startTicks);
    if (!(await waitUntil(gone, { deadlineMs: stopDeadlineMs }))) process.kill(holder.pid, 'SIGKILL');
  }
  const processes = await endLeftovers(runDir, leftoverGraceMs);
  const namespaces = await removeAbandonedNamespaces();
  removeTraces(runDir);
  if (processes + namespaces > 0)
    output.line(`removed ${processes} processes and ${namespaces} namespaces of a mesh that was killed`);
  rmSync(meshFileOf(runDir), { force: true });
  output.line(
    holder === undefined && processes + namespaces === 0 ? 'nothing was running' : 'stopped; nothing is left',
  );
  return exitCodes.ok;
};

/** Which form runs, in words, with what it lacks. */
const announce = (form: MeshFile['form'], refusal: string | undefined, output: Output): void => {
  if (form === 'captured') {
    output.line(
      'the mesh with captured traffic: a network namespace for each instance, Istio in front of each',
    );
    return;
  }
  output.line('the mesh in its loopback form: no namespaces, no capture, everything on 127.0.0.0/8');
  if (refusal !== undefined) output.line(`  the form with captured traffic needs ${refusal}`);
  output.line('  the same: Istio, a sidecar for each instance, mutual TLS between them, every policy');
  output.line(
    '  not: services are told where their sidecars take calls, and any process of this machine reaches a service at 127.0.0.1 past its sidecar, in plaintext',
  );
};

const up = async (engines: EngineHost, wantsLoopback: boolean): Promise<ExitCode> => {
  const context = meshContext();
  const output = outputTo(process.stdout);
  const { promise: stopAsked, resolve } = Promise.withResolvers<undefined>();
  const signal = abortOnSignals(() => {
    output.line('stopping …');
    resolve(undefined);
  });
  const refusal = refusalOfCapture();
  const form = wantsLoopback || refusal !== undefined ? 'loopback' : 'captured';
  announce(form, refusal, output);
  try {
    const mesh = await startMesh(context, { form, engines, output, signal });
    const rows = mesh.file.nodes.map(({ name, address, account, namespace }) => [
      name,
      address,
      account === undefined ? 'no sidecar' : `as ${account}`,
      namespace ?? '',
    ]);
    output.line(formatTable(rows));
    const { portBase, runDir } = context;
    output.line(`gateway: http://127.0.0.1:${portBase + 80}   run folder: ${runDir}`);
    output.line(`an order through it: PARLEY_RUN_DIR=${runDir} PARLEY_PORT_BASE=${portBase} npm run flow`);
    output.line('npm run mesh:status, mesh:diff, mesh:apply; Ctrl-C stops all of it');
    await Promise.race([stopAsked, mesh.lost]);
    await mesh.stop();
    output.line('stopped; no process and no namespace is left');
    return signal.aborted ? exitCodes.ok : exitCodes.failed;
  } catch (error) {
    if (signal.aborted) return exitCodes.ok;
    throw error;
  }
};

/** `npm run mesh`: the services in a real service mesh, in the foreground. */
export const meshCommandOn = (engines: EngineHost): Command => ({
  name: 'mesh',
  summary:
    'starts the services in a service mesh: Istio, sidecars, mutual TLS, each instance in a network namespace',
  help: [
    '--down      stops it, also what a killed one left: processes and namespaces',
    '--loopback  the form without namespaces and capture, which is also what runs without root; the start says which',
    ' the first start builds Istio and a Kubernetes API server, about 8 minutes and 8 GB of disk for that time',
    'PARLEY_PORT_BASE (6000) and PARLEY_RUN_DIR (.parley-mesh) choose another one',
  ],
  options: { down: { type: 'boolean' }, loopback: { type: 'boolean' } },
  run: (values) => (values.down === true ? down() : up(engines, values.loopback === true)),
});

/** The policy of the file that `--policy` names, relative to where the command was typed; without it, the laboratory's. */
export const policyFrom = (values: OptionValues): MeshPolicy => {
  const given = stringOption(values, 'policy');
  if (given === undefined) return labPolicy;
  const path = typedPath(given);
  let data: unknown;
  try {
    data = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new CommandError(exitCodes.usage, `${path} is no JSON file that can be read: ${messageOf(error)}`);
  }
  const parsed = parsePolicy(data);
  if (!parsed.ok)
    throw new CommandError(exitCodes.failed, `${path} is not a policy:\n${parsed.problems.join('\n')}`);
  return parsed.policy;
};

const policyHelp = ['--policy  a JSON file; absent: the policy of platform/mesh/src/lab-policy.ts'];
const policyOption = { policy: { type: 'string' } } as const;

/** Versions that do not run, and whatever the API server and istiod refuse, is a failed check. */
const asRefusal = (error: unknown): never => {
  throw new CommandError(exitCodes.failed, messageOf(error), error);
};

export const meshApplyCommand: Command = {
  name: 'mesh:apply',
  summary: 'applies a policy to the running mesh; the API server and Istio check it first',
  help: policyHelp,
  options: policyOption,
  run: async (values) => {
    const mesh = await runningMesh();
    const changes = await applyPolicy(mesh, policyFrom(values)).catch(asRefusal);
    process.stdout.write(`${changes.join('\n')}\n`);
    return exitCodes.ok;
  },
};

export const meshDiffCommand: Command = {
  name: 'mesh:diff',
  summary: 'shows what applying a policy would change; exit code 1 when anything',
  help: policyHelp,
  options: policyOption,
  run: async (values) => {
    const mesh = await runningMesh();
    const difference = await diffPolicy(mesh, policyFrom(values)).catch(asRefusal);
    process.stdout.write(difference === '' ? 'no difference\n' : difference);
    return difference === '' ? exitCodes.ok : exitCodes.failed;
  },
};

const Status = z.object({ nodes: z.array(NodeStatus) });
const counts = (of: Readonly<Record<string, number>>): string =>
  Object.entries(of)
    .map(([group, count]) => `${count} ${group}`)
    .join(', ') || '-';

export const meshStatusCommand: Command = {
  name: 'mesh:status',
  summary:
    'shows each node of the running mesh: sidecar, certificate, calls carried; exit code 1 when one is not ready',
  help: ['--json    as JSON'],
  options: { json: { type: 'boolean' } },
  run: async (values) => {
    const { controlPort } = await runningMesh();
    const url = `http://127.0.0.1:${controlPort}/status`;
    const { nodes } = Status.parse(
      await (await fetch(url, { signal: AbortSignal.timeout(statusTimeoutMs) })).json(),
    );
    const rows = nodes.map(({ name, address, sidecar, certificateSeconds, inbound, outbound, refused }) => [
      name,
      address,
      sidecar,
      certificateSeconds === undefined ? '-' : `${(certificateSeconds / 3600).toFixed(1)} h`,
      counts(inbound),
      counts(outbound),
      counts(refused),
    ]);
    const table = formatTable([
      ['node', 'address', 'sidecar', 'certificate', 'calls in', 'calls out', 'certificates refused'],
      ...rows,
    ]);
    process.stdout.write(`${values.json === true ? JSON.stringify({ nodes }, undefined, 2) : table}\n`);
    return nodes.some(({ sidecar }) => sidecar === 'not ready') ? exitCodes.failed : exitCodes.ok;
  },
};

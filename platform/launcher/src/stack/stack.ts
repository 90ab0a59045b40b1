import type { Endpoints } from '@parley/contracts/endpoints';
import type { Discovery } from '@parley/service/discovery';
import { CommandError, exitCodes } from '../cli/exit.ts';
import type { Output } from '../cli/output.ts';
import { formatBytes } from '../cli/table.ts';
import { needsOf, stopWaves, type EngineName } from '@parley/engines';
import { type LogShipping, shipLogs } from '../logs/ship-logs.ts';
import { endpointsOf } from './addresses.ts';
import { enginesOf, runFiles, type StackContext } from './context.ts';
import type { EngineHost } from './engine-host.ts';
import { keepEngine, type KeptEngine } from './engine-keeper.ts';
import { followScale } from './follow-scale.ts';
import { followRegistry, forgetUpstreams, writeUpstreams } from './gateway-upstreams.ts';
import { endLeftovers, removeTraces } from './leftovers.ts';
import { acquireLock, holderOf } from './lock.ts';
import { logBytesKept, shortenLogs } from './old-logs.ts';
import { outgoingWarning } from './ports.ts';
import { untilReady } from './readiness.ts';
import { refuseFullDisk } from './room.ts';
import { otherLaunchers, otherLaunchersGone, watchRunFolder, type WatchedRunFolder } from './run-folder.ts';
import { oneOfEach, type Scale } from './scale.ts';
import { readScale, writeScale } from './scale-file.ts';
import { writeStartRecord } from './start-record.ts';
import { refuseTakenPorts } from './taken-ports.ts';
import { keepServices, type KeptServices } from './services.ts';
import { orAbort } from '@parley/engines/wait';

/** A whole stack that is ready. */
export interface Stack {
  readonly endpoints: Endpoints;
  /** Aborted, with a CommandError, when the run folder was removed or taken from this launcher; `stop` is then due. */
  readonly lost: AbortSignal;
  /** Drains the services, then stops the gateway, the registry, Kafka and the rest; nothing of the stack remains. */
  stop(): Promise<void>;
}

/** How to start a stack. */
export interface StackOptions {
  readonly host: EngineHost;
  readonly output: Output;
  /** Reload services when their source changes. */
  readonly watch: boolean;
  /** Aborting ends the start; what was started is stopped. */
  readonly signal: AbortSignal;
  /** How many instances each service has at first. Default: one. */
  readonly scale?: Scale | undefined;
  /** Refuses a machine on which this stack cannot run; by default one whose ports are taken or whose disk is nearly full. */
  readonly refuseMachine?: (context: StackContext) => Promise<void>;
}

/** A launcher whose run folder was removed is stopping; what it stops must not be what is started here. */
const awaitOthers = async (
  runDir: string,
  { output, signal }: Pick<StackOptions, 'output' | 'signal'>,
): Promise<void> => {
  if (await otherLaunchersGone(runDir, { deadlineMs: quickMs, signal })) return; // one that began at the same time
  output.line('waiting for another launcher of this run folder to stop …');
  if (await otherLaunchersGone(runDir, { deadlineMs: otherLauncherMs, signal })) return;
  const pids = otherLaunchers(runDir).join(', ');
  throw new CommandError(
    exitCodes.environment,
    `another launcher of ${runDir} (pid ${pids}) does not stop. Type npm run down, then try again`,
  );
};

const refuseUnfitMachine = async (context: StackContext): Promise<void> => {
  await refuseTakenPorts(context, { scale: readScale(context.runDir) });
  await refuseFullDisk(context.runDir);
};

/** Long, since the first start on a cold, busy machine compiles caches and seeds the products. */
const readyDeadlineMs = 300_000;
const leftoverGraceMs = 12_000;
const otherLauncherMs = 90_000;
const quickMs = 3000;
const shippingDeadlineMs = 3000;
/** Once it is there the services have much to do that needs no other engine; for the rest they wait. */
const servicesNeed: EngineName = 'kafka';

/** Everything that was started, so that a start that fails half-way is undone like one that succeeded. */
class StartedStack {
  readonly #context: StackContext;
  readonly #output: Output;
  readonly #folder: WatchedRunFolder;
  readonly #release: () => Promise<void>;
  readonly engines = new Map<EngineName, KeptEngine>();
  services: KeptServices | undefined;
  /** Follows the registry for the gateway. */
  registry: Discovery | undefined;
  /** Ends the watch of the scale. */
  endScale: () => void = () => undefined;
  shipping: LogShipping | undefined;

  constructor(
    context: StackContext,
    output: Output,
    hold: { readonly folder: WatchedRunFolder; readonly release: () => Promise<void> },
  ) {
    this.#context = context;
    this.#output = output;
    this.#folder = hold.folder;
    this.#release = hold.release;
  }

  async stop(): Promise<void> {
    const { runDir } = this.#context;
    this.endScale();
    await this.registry?.close();
    const holder = await holderOf(runDir);
    if (holder === undefined || holder.pid === process.pid) await this.#folder.withdraw(); // else it is another one's
    if (this.services !== undefined) {
      this.#output.line('draining the services …');
      await this.services.stop();
    }
    await this.shipping?.stop({ deadlineMs: shippingDeadlineMs }); // the log engine stops with the others
    for (const names of stopWaves([...this.engines.keys()])) {
      this.#output.line(`stopping ${names.join(', ')} …`);
      await Promise.all(names.map((name) => this.engines.get(name)?.stop() ?? Promise.resolve()));
    }
    await endLeftovers(runDir, leftoverGraceMs);
    removeTraces(runDir);
    this.#folder.end();
    await this.#release();
  }
}

const startAll = async (
  started: StartedStack,
  context: StackContext,
  { host, output, watch, signal }: StackOptions,
): Promise<void> => {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const start = async (name: EngineName): Promise<void> => {
    const startedAt = performance.now();
    const kept = keepEngine(host, name, { context, output, signal: either });
    kept.catch((error: unknown) => {
      failed.abort(error); // the first failure ends the start of the others: there will be no stack
    });
    started.engines.set(name, await kept);
    output.good(`${name} is ready (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
  };
  const startServices = (): void => {
    output.line('starting the services …');
    started.services = keepServices(context, { watch, output });
  };
  // All are awaited even when one fails, so that none comes up behind the back of the stop that follows.
  const starts = new Map<EngineName, Promise<void>>();
  const startAfterNeeds = async (name: EngineName): Promise<void> => {
    await Promise.all(needsOf(name).map((needed) => starts.get(needed) ?? Promise.resolve()));
    await start(name);
    if (name === servicesNeed) startServices();
  };
  for (const name of enginesOf(context)) starts.set(name, startAfterNeeds(name));
  const results = await Promise.allSettled(starts.values());
  signal.throwIfAborted();
  failed.signal.throwIfAborted();
  for (const result of results) if (result.status === 'rejected') throw result.reason;
};

/**
 * Starts a stack and resolves when all of it is ready and endpoints.json is written. Rejects when another launcher
 * holds the run folder, when something does not become ready in time, or on abort; then nothing of it remains.
 */
export const startStack = async (context: StackContext, options: StackOptions): Promise<Stack> => {
  const { host, output, scale = oneOfEach, refuseMachine = refuseUnfitMachine } = options;
  const { runDir } = context;
  const startedAt = performance.now();
  const release = await acquireLock(runDir, context.portBase);
  const folder = watchRunFolder(runDir, output);
  const signal = AbortSignal.any([options.signal, folder.lost]);
  const started = new StartedStack(context, output, { folder, release });
  const say = (line: string): void => {
    output.line(line);
  };
  try {
    await folder.withdraw(); // what a killed launcher left says nothing of this start
    if (otherLaunchers(runDir).length > 0) await awaitOthers(runDir, { output, signal });
    const leftovers = await endLeftovers(runDir, leftoverGraceMs);
    if (leftovers > 0) output.line(`ended ${leftovers} processes of a stack that was killed`);
    await writeScale(runDir, scale); // how many there were at an earlier start says nothing of this one
    await forgetUpstreams(runDir);
    await refuseMachine(context);
    const shortened = await shortenLogs(runDir);
    if (shortened.length > 0)
      output.line(`kept the last ${formatBytes(logBytesKept)} of ${shortened.join(', ')} of earlier starts`);
    const logsUrl = endpointsOf(context).logs?.url;
    if (logsUrl !== undefined)
      started.shipping = await shipLogs({ logs: runFiles(runDir).logs, url: logsUrl, output });
    const warning = outgoingWarning(context);
    if (warning !== undefined) output.line(warning);
    await host.obtain(runDir, enginesOf(context), { say, signal });
    const obtainedMs = performance.now() - startedAt;
    signal.throwIfAborted();
    await startAll(started, context, { ...options, signal });
    const endpoints = endpointsOf(context, scale);
    started.registry = await followRegistry({ runDir, endpoints, output });
    const died = started.services?.firstDeath.then((how) => {
      throw new CommandError(exitCodes.environment, `turbo ${how} before the services were ready`);
    });
    const ready = untilReady(endpoints, { deadlineMs: readyDeadlineMs, say, signal });
    await orAbort(Promise.race([ready, ...(died === undefined ? [] : [died])]), signal);
    await writeStartRecord(runDir, { obtainedMs, readyMs: performance.now() - startedAt });
    await folder.publish(endpoints);
    started.endScale = followScale({
      context,
      scale,
      output,
      publish: async (changed) => {
        await folder.publish(changed);
        if (started.registry === undefined) await writeUpstreams(runDir, changed.instances);
      },
    });
    return { endpoints, lost: folder.lost, stop: () => started.stop() };
  } catch (error) {
    await started.stop();
    throw error;
  }
};

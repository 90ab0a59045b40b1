import { rmSync } from 'node:fs';
import type { Endpoints } from '@parley/contracts/endpoints';
import type { Output } from '../cli/output.ts';
import { endpointsOf } from './addresses.ts';
import { runFiles, type StackContext } from './context.ts';
import { removeEndpoints, writeEndpoints } from './endpoints-file.ts';
import type { EngineHost, EngineName } from './engine-host.ts';
import { keepEngine, type KeptEngine } from './engine-keeper.ts';
import { endLeftovers } from './leftovers.ts';
import { acquireLock } from './lock.ts';
import { untilReady } from './readiness.ts';
import { startServices, type RunningServices } from './services.ts';

/** A whole stack that is ready. */
export interface Stack {
  readonly endpoints: Endpoints;
  /** Resolves when the stack can no longer go on by itself (turbo ended). */
  readonly broken: Promise<void>;
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
}

/** Long, since the first start on a cold, busy machine compiles caches and seeds the products. */
const readyDeadlineMs = 180_000;
const leftoverGraceMs = 12_000;
/** The gateway first, so that no request meets half a stack; Kafka after whoever still writes to it. */
const stopOrder: readonly EngineName[] = ['envoy', 'registry', 'kafka', 'rabbitmq', 'zipkin'];

/** Everything that was started, so that a start that fails half-way is undone like one that succeeded. */
class StartedStack {
  readonly #context: StackContext;
  readonly #output: Output;
  readonly #release: () => Promise<void>;
  readonly engines = new Map<EngineName, KeptEngine>();
  services: RunningServices | undefined;

  constructor(context: StackContext, output: Output, release: () => Promise<void>) {
    this.#context = context;
    this.#output = output;
    this.#release = release;
  }

  async stop(): Promise<void> {
    const { runDir } = this.#context;
    await removeEndpoints(runDir);
    if (this.services !== undefined) {
      this.#output.line('draining the services …');
      await this.services.stop();
    }
    for (const name of stopOrder) {
      const engine = this.engines.get(name);
      if (engine === undefined) continue;
      this.#output.line(`stopping ${name} …`);
      await engine.stop();
    }
    await endLeftovers(runDir, leftoverGraceMs);
    rmSync(runFiles(runDir).pids, { recursive: true, force: true });
    await this.#release();
  }
}

const startEngines = async (
  started: StartedStack,
  context: StackContext,
  { host, output }: StackOptions,
): Promise<void> => {
  const start = async (name: EngineName): Promise<void> => {
    const startedAt = performance.now();
    const say = (line: string): void => {
      output.bad(line);
    };
    started.engines.set(name, await keepEngine(host, name, { context, say }));
    output.good(`${name} is ready (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
  };
  // All are awaited even when one fails, so that none comes up behind the back of the stop that follows.
  const results = await Promise.allSettled([
    start('kafka').then(() => start('registry')),
    start('rabbitmq'),
    start('zipkin'),
    start('envoy'),
  ]);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
};

/**
 * Starts a stack and resolves when all of it is ready and endpoints.json is written. Rejects when another launcher
 * holds the run folder, when something does not become ready in time, or on abort; then nothing of it remains.
 */
export const startStack = async (context: StackContext, options: StackOptions): Promise<Stack> => {
  const { host, output, watch, signal } = options;
  const { runDir } = context;
  const started = new StartedStack(context, output, await acquireLock(runDir, context.portBase));
  const say = (line: string): void => {
    output.line(line);
  };
  try {
    const leftovers = await endLeftovers(runDir, leftoverGraceMs);
    if (leftovers > 0) output.line(`ended ${leftovers} processes of a stack that was killed`);
    await host.obtain(say, signal);
    signal.throwIfAborted();
    await startEngines(started, context, options);
    signal.throwIfAborted();
    output.line('starting the services …');
    const services = startServices(context, { watch, say });
    started.services = services;
    const endpoints = endpointsOf(context);
    await untilReady(endpoints, { deadlineMs: readyDeadlineMs, say, signal });
    await writeEndpoints(runDir, endpoints);
    return { endpoints, broken: services.exited, stop: () => started.stop() };
  } catch (error) {
    await started.stop();
    throw error;
  }
};

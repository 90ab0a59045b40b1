import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kafkaBootstrap } from '../src/engines/kafka.ts';
import { killLeftovers } from '../src/leftovers.ts';
import { obtainAll } from '../src/obtain.ts';
import { claimEnginePorts, type PortClaim } from '../src/port-claim.ts';
import { type EngineName, type Ports, portsFor } from '../src/ports.ts';
import { killAllOf } from '../src/process.ts';
import { rabbitmqAccount } from '../src/rabbitmq-account.ts';
import { nodesOf, withNeeds } from '../src/selection.ts';
import { type Engine, startEngine } from '../src/start.ts';

export { cacheDir } from '../src/artifacts/cache.ts';
export { endGroup } from '../src/process-group.ts';
export { processesBelow } from '../src/procfs.ts';
export { rabbitmqAuthorization } from '../src/rabbitmq-account.ts';
export { countingProxy, type CountingProxy } from './counting-proxy.ts';

/** What a test wants to run. */
export interface TestEnginesOptions {
  /** What they need is added: Kafka, when the registry is asked for, whose state lies there. */
  readonly only: readonly EngineName[];
  /** Free ports are looked for when absent. */
  readonly portBase?: number;
  /** A new temporary folder when absent; a given one is kept by `stop`. */
  readonly dir?: string;
  /** Envoy's bootstrap for these ports, with the admin listener on `ports.gatewayAdmin`; one that routes nothing when absent. */
  readonly envoyConfig?: (at: { readonly ports: Ports; readonly runDir: string }) => string | Promise<string>;
}

/** Engines of one test file, all ready. An address is of use only when its engine was asked for. */
export interface TestEngines {
  readonly ports: Ports;
  readonly runDir: string;
  /** host:port of each broker, separated by commas */
  readonly bootstrap: string;
  /** Confluent-compatible base URL. */
  readonly registryUrl: string;
  readonly amqpUrl: string;
  readonly rabbitmqManagementUrl: string;
  readonly zipkinUrl: string;
  readonly gatewayUrl: string;
  engine(name: EngineName): Engine;
  /** SIGKILL to every process of an engine; resolves when they are gone. */
  kill(name: EngineName): Promise<void>;
  /** Stops an engine if it runs and starts it on the same state; resolves when it is ready. */
  restart(name: EngineName): Promise<void>;
  /** Leaves no process and no temporary folder. */
  stop(): Promise<void>;
}

/** A base of their own for these engines, or the one that was asked for. */
const claimBase = (asked: number | undefined): Promise<PortClaim> =>
  asked === undefined
    ? claimEnginePorts()
    : Promise.resolve({ base: asked, release: () => Promise.resolve() });

/** An Envoy that has its admin listener and routes nothing. */
export const bareEnvoy = (ports: Ports): string =>
  JSON.stringify({
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: ports.gatewayAdmin } } },
  });

/** Obtains engines if absent, starts them on ports and state of their own and waits until all are ready. On failure nothing stays. */
export const startTestEngines = async (options: TestEnginesOptions): Promise<TestEngines> => {
  const names = withNeeds(options.only);
  await obtainAll({ only: names });
  const claim = await claimBase(options.portBase);
  const ports = portsFor(claim.base);
  const runDir = options.dir ?? (await mkdtemp(join(tmpdir(), 'parley-engines-')));
  const running = new Map<EngineName, Engine>();
  await mkdir(runDir, { recursive: true });
  const configs: Partial<Record<EngineName, string>> = {
    envoy: (await options.envoyConfig?.({ ports, runDir })) ?? bareEnvoy(ports),
    prometheus: 'scrape_configs: []\n',
  };
  const configPathOf = (name: EngineName): string => join(runDir, `${name}-test.yaml`);
  for (const name of names) await writeFile(configPathOf(name), configs[name] ?? '');

  const start = async (name: EngineName): Promise<void> => {
    const engine = await startEngine(name, { runDir, ports, engines: names, configPath: configPathOf(name) });
    running.set(name, engine);
    await engine.ready;
  };
  const runningEngine = (name: EngineName): Engine => {
    const engine = running.get(name);
    if (engine === undefined) throw new RangeError(`${name} was not asked for`);
    return engine;
  };
  const stop = async (): Promise<void> => {
    await Promise.all([...running.values()].map((engine) => engine.stop()));
    await killLeftovers(runDir);
    await claim.release();
    if (options.dir === undefined) await rm(runDir, { recursive: true, force: true });
  };
  try {
    // Nodes of a cluster are ready together, or none is.
    for (const name of names)
      if (!running.has(name))
        await Promise.all(
          nodesOf(name)
            .filter((node) => names.includes(node))
            .map(start),
        );
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ports,
    runDir,
    bootstrap: kafkaBootstrap(ports, names),
    registryUrl: `http://127.0.0.1:${ports.registry}/apis/ccompat/v7`,
    amqpUrl: `amqp://${rabbitmqAccount}@127.0.0.1:${ports.rabbitmqAmqp}`,
    rabbitmqManagementUrl: `http://127.0.0.1:${ports.rabbitmqManagement}`,
    zipkinUrl: `http://127.0.0.1:${ports.zipkin}`,
    gatewayUrl: `http://127.0.0.1:${ports.gateway}`,
    engine: runningEngine,
    kill: async (name) => {
      const { exited } = runningEngine(name);
      if (!(await killAllOf(runDir, name))) throw new Error(`${name} survives SIGKILL`);
      await exited;
    },
    restart: async (name) => {
      await runningEngine(name).stop();
      await start(name);
    },
    stop,
  };
};

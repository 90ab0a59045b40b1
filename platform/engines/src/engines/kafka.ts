import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ObtainControl } from '../artifacts/cache.ts';
import { maven, pip, python3 } from '../artifacts/debian.ts';
import { fromMaven } from '../artifacts/maven.ts';
import { obtainJava } from '../artifacts/pypi.ts';
import { run } from '../artifacts/run.ts';
import {
  defineEngine,
  loopback,
  type Addresses,
  type Command,
  type EngineContext,
  type JavaProgram,
  type PortsNamed,
} from '../engine.ts';
import { EnvironmentError } from '../errors.ts';
import { namesItself } from '../probe.ts';
import { marksOf, textAsUtf8 } from '../process.ts';
import { jvmOf, noJavaFlags } from './java.ts';

const version = '4.3.1';
const clusterId = 'MkU3OEVBNTcwNTJENDM2Qg'; // fixed: saves a Java start that would only draw one at random
const formatDeadlineMs = 60_000;
/** Below its working folder: `log.dirs` is split at commas and read as Latin-1, and the run folder may have any name. */
const dataDir = 'data';

const cacheEntry = `kafka-${version}`;
const program: JavaProgram = {
  name: 'kafka',
  cacheEntry,
  heap: '384m',
  flags: ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'],
  classPath: ['*'],
};
const obtain = (control?: ObtainControl): Promise<string> => fromMaven({ name: 'kafka', version }, control);

const nodeNames = ['kafka', 'kafka-2', 'kafka-3'] as const;

/** One of the brokers; each is a controller, too. */
type NodeName = (typeof nodeNames)[number];

/** Where the nodes listen, by the names of their ports. */
const nodePorts = {
  kafka: 192,
  kafkaController: 193,
  kafka2: 186,
  kafka2Controller: 187,
  kafka3: 188,
  kafka3Controller: 189,
} as const;

export type KafkaPorts = PortsNamed<keyof typeof nodePorts>;

const portsOf = (ports: KafkaPorts): readonly { readonly broker: number; readonly controller: number }[] => [
  { broker: ports.kafka, controller: ports.kafkaController },
  { broker: ports.kafka2, controller: ports.kafka2Controller },
  { broker: ports.kafka3, controller: ports.kafka3Controller },
];

/** What another engine needs of Kafka: it sees the ports of all nodes. */
export const kafkaCluster = { name: 'kafka', ports: nodePorts } as const;

/** How many brokers a stack with these engines has. */
const brokersAmong = (engines: readonly string[] = []): number =>
  Math.max(1, nodeNames.filter((name) => engines.includes(name)).length);

/** Addresses of all brokers of a stack with these engines, as `bootstrap.servers` has them: `host:port,host:port`. */
export const kafkaBootstrap = (ports: KafkaPorts, engines?: readonly string[]): string =>
  portsOf(ports)
    .slice(0, brokersAmong(engines))
    .map(({ broker }) => `${loopback}:${broker}`)
    .join(',');

/** Which of how many brokers a configuration is for. */
interface NodeOfCluster {
  /** From 1. */
  readonly node: number;
  readonly brokers: number;
}

/** A majority of the copies: with one node away, writes go on, and what was acknowledged is on one that is left. */
const inSyncMin = (brokers: number): number => Math.floor(brokers / 2) + 1;

/** Settings of several nodes only. A dead leader is noticed within 2 s; the defaults are for a network, and far slower. */
const clusterSettings = {
  'controller.quorum.election.timeout.ms': 500,
  'controller.quorum.fetch.timeout.ms': 1000,
  'replica.lag.time.max.ms': 5000,
  // A stack stops all nodes at once. The last of them would wait for a majority that is gone, to hand over its partitions.
  'controlled.shutdown.enable': false,
} as const;

/** A node's configuration: it is broker and controller. All nodes of a stack keep a copy of everything. */
export const kafkaProperties = (
  ports: KafkaPorts,
  dataDir: string,
  { node, brokers }: NodeOfCluster = { node: 1, brokers: 1 },
): string => {
  const nodes = portsOf(ports).slice(0, brokers);
  const own = nodes[node - 1];
  if (own === undefined) throw new RangeError(`there is no node ${node} of ${brokers}`);
  const voters = nodes.map(({ controller }, at) => `${at + 1}@${loopback}:${controller}`);
  const inSync = inSyncMin(brokers);
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': node,
    'controller.quorum.voters': voters.join(','),
    listeners: `PLAINTEXT://${loopback}:${own.broker},CONTROLLER://${loopback}:${own.controller}`,
    'advertised.listeners': `PLAINTEXT://${loopback}:${own.broker}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': dataDir,
    'offsets.topic.replication.factor': brokers,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': brokers,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': brokers,
    'share.coordinator.state.topic.min.isr': inSync,
    'share.coordinator.state.topic.num.partitions': 4,
    'default.replication.factor': brokers,
    'min.insync.replicas': inSync,
    // The registry creates its journal with the default and relies on the order in it, so that default is 1.
    // Parley's own topics are created with explicit partition counts.
    'num.partitions': 1,
    'auto.create.topics.enable': false,
    'group.initial.rebalance.delay.ms': 0,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'num.recovery.threads.per.data.dir': 2,
    'log.cleaner.dedupe.buffer.size': 16_777_216,
    'log.retention.ms': -1,
    // A killed broker is refused until its old session ends: 9 s by default.
    'broker.session.timeout.ms': 2000,
    'broker.heartbeat.interval.ms': 500,
    ...(brokers > 1 ? clusterSettings : {}),
  })
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
};

const propertiesOf = (runDir: string, name: NodeName): string => join(runDir, name, 'server.properties');
const isFormatted = (runDir: string, name: NodeName): boolean =>
  existsSync(join(runDir, name, dataDir, 'meta.properties'));

/** How many brokers share the data of a run folder; undefined where there is none yet. */
export const brokersOfData = (runDir: string): number | undefined => {
  const name = nodeNames.find((one) => isFormatted(runDir, one) && existsSync(propertiesOf(runDir, one)));
  if (name === undefined) return undefined;
  const [, voters = ''] =
    /^controller\.quorum\.voters=(.*)$/m.exec(readFileSync(propertiesOf(runDir, name), 'utf8')) ?? [];
  return voters.split(',').length;
};

/** A node's data names who votes: with another number of brokers they would not agree, or two halves would. */
const refuseOtherData = (runDir: string, brokers: number): void => {
  const there = brokersOfData(runDir);
  if (there !== undefined && there !== brokers)
    throw new EnvironmentError(
      `the data in ${runDir} is that of ${there} Kafka broker${there === 1 ? '' : 's'}, not of ${brokers}`,
      `--brokers ${there}, or npm run clean, which gives the data up`,
    );
};

const prepareNode = async (name: NodeName, context: EngineContext<keyof KafkaPorts>): Promise<Command> => {
  const { runDir, ports, engines } = context;
  const brokers = brokersAmong(engines);
  refuseOtherData(runDir, brokers);
  const [libs, java] = await Promise.all([obtain(), obtainJava()]);
  const cwd = join(runDir, name);
  const properties = propertiesOf(runDir, name);
  const ofNode: JavaProgram = { ...program, name };
  mkdirSync(cwd, { recursive: true });
  writeFileSync(properties, kafkaProperties(ports, dataDir, { node: nodeNames.indexOf(name) + 1, brokers }));
  if (!isFormatted(runDir, name)) {
    const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', properties];
    await run(java, [...jvmOf(ofNode, libs, { runDir }), ...format], {
      cwd,
      deadlineMs: formatDeadlineMs,
      marks: { ...noJavaFlags, ...textAsUtf8, ...marksOf(runDir, name) },
    });
  }
  return {
    command: java,
    args: [...jvmOf(ofNode, libs, context), 'kafka.Kafka', properties],
    env: {},
    cwd,
  };
};

const common = {
  version,
  cacheEntry,
  obtainedWith: [python3, pip, maven],
  runsWith: [],
  cluster: kafkaCluster,
  obtain: async (control?: ObtainControl): Promise<void> => {
    await Promise.all([obtain(control), obtainJava(control)]);
  },
  readyDeadlineMs: 180_000, // seconds on an idle machine; one that ends is noticed at once
} as const;

/** Apache Kafka in KRaft mode: the event log. The first node, and the only one unless a stack has the other two. */
export const kafka = defineEngine({
  ...common,
  name: 'kafka',
  presence: 'always',
  ports: { kafka: nodePorts.kafka, kafkaController: nodePorts.kafkaController },
  java: program,
  addresses: (ports, engines) => {
    const bootstrap = kafkaBootstrap(ports, engines);
    const brokers = brokersAmong(engines);
    return {
      endpoints: { kafka: { bootstrap } },
      serviceEnv: {
        KAFKA_BOOTSTRAP: bootstrap,
        KAFKA_REPLICATION_FACTOR: String(brokers),
        KAFKA_MIN_INSYNC_REPLICAS: String(inSyncMin(brokers)),
      },
      rows: [{ label: 'kafka', addresses: bootstrap.split(',') }],
    };
  },
  prepare: (context) => prepareNode('kafka', context),
  isReady: ({ ports }) => namesItself(ports.kafka),
});

/** Found by the addresses of the first one. */
const noAddresses: Addresses = { endpoints: {}, serviceEnv: {}, rows: [] };

/** The second of three nodes. */
export const kafka2 = defineEngine({
  ...common,
  name: 'kafka-2',
  presence: 'on request',
  ports: { kafka2: nodePorts.kafka2, kafka2Controller: nodePorts.kafka2Controller },
  addresses: () => noAddresses,
  prepare: (context) => prepareNode('kafka-2', context),
  isReady: ({ ports }) => namesItself(ports.kafka2),
});

/** The third of three nodes. */
export const kafka3 = defineEngine({
  ...common,
  name: 'kafka-3',
  presence: 'on request',
  ports: { kafka3: nodePorts.kafka3, kafka3Controller: nodePorts.kafka3Controller },
  addresses: () => noAddresses,
  prepare: (context) => prepareNode('kafka-3', context),
  isReady: ({ ports }) => namesItself(ports.kafka3),
});

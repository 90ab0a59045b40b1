import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ObtainControl } from '../artifacts/cache.ts';
import { maven, pip, python3 } from '../artifacts/debian.ts';
import { fromMaven } from '../artifacts/maven.ts';
import { obtainJava } from '../artifacts/pypi.ts';
import { run } from '../artifacts/run.ts';
import { defineEngine, loopback, type JavaProgram, type PortsNamed } from '../engine.ts';
import { namesABroker } from '../probe.ts';
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

/** The broker's configuration: one node that is broker and controller. */
export const kafkaProperties = (ports: PortsNamed<'kafka' | 'kafkaController'>, dataDir: string): string =>
  Object.entries({
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${ports.kafkaController}`,
    listeners: `PLAINTEXT://127.0.0.1:${ports.kafka},CONTROLLER://127.0.0.1:${ports.kafkaController}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${ports.kafka}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': dataDir,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'share.coordinator.state.topic.num.partitions': 4,
    'default.replication.factor': 1,
    'min.insync.replicas': 1,
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
  })
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');

/** Apache Kafka in KRaft mode: the event log. */
export const kafka = defineEngine({
  name: 'kafka',
  version,
  presence: 'always',
  ports: { kafka: 192, kafkaController: 193 },
  cacheEntry,
  obtainedWith: [python3, pip, maven],
  runsWith: [],
  java: program,
  addresses: (ports) => {
    const bootstrap = `${loopback}:${ports.kafka}`;
    return {
      endpoints: { kafka: { bootstrap } },
      serviceEnv: { KAFKA_BOOTSTRAP: bootstrap },
      rows: [{ label: 'kafka', addresses: [bootstrap] }],
    };
  },
  obtain: async (control) => {
    await Promise.all([obtain(control), obtainJava(control)]);
  },
  prepare: async (context) => {
    const { runDir, ports } = context;
    const [libs, java] = await Promise.all([obtain(), obtainJava()]);
    const cwd = join(runDir, 'kafka');
    const properties = join(cwd, 'server.properties');
    mkdirSync(cwd, { recursive: true });
    writeFileSync(properties, kafkaProperties(ports, dataDir));
    if (!existsSync(join(cwd, dataDir, 'meta.properties'))) {
      const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', properties];
      await run(java, [...jvmOf(program, libs, { runDir }), ...format], {
        cwd,
        deadlineMs: formatDeadlineMs,
        marks: { ...noJavaFlags, ...textAsUtf8, ...marksOf(runDir, 'kafka') },
      });
    }
    return {
      command: java,
      args: [...jvmOf(program, libs, context), 'kafka.Kafka', properties],
      env: {},
      cwd,
    };
  },
  isReady: ({ ports }) => namesABroker(ports.kafka),
  readyDeadlineMs: 180_000, // seconds on an idle machine; one that ends is noticed at once
});

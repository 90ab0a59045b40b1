import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ObtainControl } from '../artifacts/cache.ts';
import { maven, pip, python3 } from '../artifacts/debian.ts';
import { fromMaven } from '../artifacts/maven.ts';
import { obtainJava } from '../artifacts/pypi.ts';
import { defineEngine, urlOf, type JavaProgram, type PortsNamed } from '../engine.ts';
import { answersOk } from '../probe.ts';
import { jvmOf } from './java.ts';
import { kafkaBootstrap, kafkaCluster, type KafkaPorts } from './kafka.ts';

const version = '3.3.3';
const cacheEntry = `registry-${version}`;

const obtain = (control?: ObtainControl): Promise<string> =>
  fromMaven(
    {
      name: 'registry',
      version,
      artifact: `io.apicurio:apicurio-registry-app:${version}:tar.gz:all`,
      unpack: async (file, runHere) => {
        await runHere('tar', ['-xzf', file]);
      },
    },
    control,
  );

const program: JavaProgram = {
  name: 'registry',
  cacheEntry,
  heap: '384m',
  // What the manifest of its jar and its launcher would set.
  flags: [
    '--add-opens=java.base/java.lang=ALL-UNNAMED',
    '-Djava.util.logging.manager=org.jboss.logmanager.LogManager',
  ],
  // What Quarkus' own class loader reads, in its order; the classes of that loader cannot be in an AOT cache.
  classPath: [
    'quarkus/transformed-bytecode.jar',
    'quarkus/generated-bytecode.jar',
    'app/*',
    'lib/boot/*',
    'lib/main/*',
  ],
};

/** Environment of the registry: its state lies in Kafka and survives a restart. */
export const registryEnv = (
  ports: PortsNamed<'registry' | 'registryManagement'> & KafkaPorts,
  engines?: readonly string[],
): Record<string, string> => ({
  QUARKUS_HTTP_HOST: '127.0.0.1',
  QUARKUS_HTTP_PORT: String(ports.registry),
  QUARKUS_MANAGEMENT_HOST: '127.0.0.1',
  QUARKUS_MANAGEMENT_PORT: String(ports.registryManagement),
  QUARKUS_LOG_LEVEL: 'WARN',
  APICURIO_STORAGE_KIND: 'kafkasql',
  APICURIO_KAFKASQL_BOOTSTRAP_SERVERS: kafkaBootstrap(ports, engines),
  APICURIO_KAFKASQL_CONSUMER_POLL_TIMEOUT: '100', // the default of 5 s makes a start take half a minute
});

/** Apicurio Registry with its Confluent-compatible API. Needs Kafka to be ready. */
export const registry = defineEngine({
  name: 'registry',
  version,
  presence: 'always',
  ports: { registry: 181, registryManagement: 182 },
  needs: [kafkaCluster],
  cacheEntry,
  obtainedWith: [python3, pip, maven],
  runsWith: [],
  java: program,
  addresses: (ports) => {
    const url = `${urlOf(ports.registry)}/apis/ccompat/v7`;
    return {
      endpoints: { registry: { url } },
      serviceEnv: { REGISTRY_URL: url },
      rows: [{ label: 'registry', addresses: [url] }],
    };
  },
  obtain: async (control) => {
    await Promise.all([obtain(control), obtainJava(control)]);
  },
  prepare: async (context) => {
    const { runDir, ports, engines } = context;
    const [folder, java] = await Promise.all([obtain(), obtainJava()]);
    const cwd = join(runDir, 'registry');
    mkdirSync(cwd, { recursive: true });
    return {
      command: java,
      args: [...jvmOf(program, folder, context), 'io.quarkus.runner.GeneratedMain'],
      env: registryEnv(ports, engines),
      cwd,
    };
  },
  // Its API answers before it has read its own state, with 404 for what it knows.
  isReady: ({ ports }) => answersOk(`${urlOf(ports.registryManagement)}/health/ready`),
  readyDeadlineMs: 180_000,
});

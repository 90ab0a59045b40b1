import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ObtainControl } from '../artifacts/cache.ts';
import { fromMaven } from '../artifacts/maven.ts';
import { obtainJava } from '../artifacts/pypi.ts';
import type { Engine } from '../engine.ts';
import type { Ports } from '../ports.ts';
import { answersOk } from '../probe.ts';
import { tmpDirOf } from '../process.ts';
import { smallJava } from './java.ts';

const version = '3.3.3';

const obtain = (control?: ObtainControl): Promise<string> =>
  fromMaven(
    {
      name: 'registry',
      version,
      artifact: `io.apicurio:apicurio-registry-app:${version}:tar.gz:all`,
      unpack: true,
    },
    control,
  );

/** Environment of the registry: its state lies in Kafka and survives a restart. */
export const registryEnv = (ports: Ports): Record<string, string> => ({
  QUARKUS_HTTP_HOST: '127.0.0.1',
  QUARKUS_HTTP_PORT: String(ports.registry),
  QUARKUS_MANAGEMENT_HOST: '127.0.0.1',
  QUARKUS_MANAGEMENT_PORT: String(ports.registryManagement),
  QUARKUS_LOG_LEVEL: 'WARN',
  APICURIO_STORAGE_KIND: 'kafkasql',
  APICURIO_KAFKASQL_BOOTSTRAP_SERVERS: `127.0.0.1:${ports.kafka}`,
  APICURIO_KAFKASQL_CONSUMER_POLL_TIMEOUT: '100', // the default of 5 s makes a start take half a minute
});

/** Apicurio Registry with its Confluent-compatible API. Needs Kafka to be ready. */
export const registry: Engine = {
  name: 'registry',
  version,
  cacheEntry: `registry-${version}`,
  obtain: async (control) => {
    await Promise.all([obtain(control), obtainJava(control)]);
  },
  prepare: async ({ runDir, ports }) => {
    const [folder, java] = await Promise.all([obtain(), obtainJava()]);
    const cwd = join(runDir, 'registry');
    mkdirSync(cwd, { recursive: true });
    const args = [
      ...smallJava({ heap: '384m', tmpDir: tmpDirOf(runDir, 'registry') }),
      '-jar',
      join(folder, 'quarkus-run.jar'),
    ];
    return { command: java, args, env: registryEnv(ports), cwd };
  },
  // Its API answers before it has read its own state, with 404 for what it knows.
  isReady: ({ ports }) => answersOk(`http://127.0.0.1:${ports.registryManagement}/health/ready`),
  readyDeadlineMs: 180_000,
};

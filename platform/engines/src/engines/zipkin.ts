import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ObtainControl } from '../artifacts/cache.ts';
import { maven, pip, python3 } from '../artifacts/debian.ts';
import { fromMaven, type RunHere } from '../artifacts/maven.ts';
import { obtainJava } from '../artifacts/pypi.ts';
import { defineEngine, urlOf, type JavaProgram } from '../engine.ts';
import { answersOk } from '../probe.ts';
import { jvmOf } from './java.ts';

const version = '3.6.1';
/** Held in memory, up to 1.7 kB each. 100,000 of them fill the heap: its full collections take 2 s then, of a core that orders need. */
const spansMax = '30000';

const cacheEntry = `zipkin-${version}`;
const program: JavaProgram = {
  name: 'zipkin',
  cacheEntry,
  heap: '256m',
  flags: [],
  classPath: ['zipkin-server.jar', 'BOOT-INF/lib/*'],
};

/**
 * Takes the jars out of the one that Spring's own class loader would read them from: that loader's classes cannot be in
 * an AOT cache, nor can those of a folder, so these become a jar too.
 */
const unpack = async (file: string, runHere: RunHere): Promise<void> => {
  await runHere('python3', ['-m', 'zipfile', '-e', file, '.']);
  await runHere('python3', ['-m', 'zipfile', '-c', 'zipkin-server.jar', 'BOOT-INF/classes/.']);
  await runHere('rm', ['-r', 'BOOT-INF/classes', 'META-INF', 'org']);
};

const obtain = (control?: ObtainControl): Promise<string> =>
  fromMaven(
    { name: 'zipkin', version, artifact: `io.zipkin:zipkin-server:${version}:jar:exec`, unpack },
    control,
  );

/** Zipkin: traces, in memory, with its UI. */
export const zipkin = defineEngine({
  name: 'zipkin',
  version,
  presence: 'always',
  ports: { zipkin: 194 },
  cacheEntry,
  obtainedWith: [python3, pip, maven],
  runsWith: [],
  java: program,
  addresses: (ports) => {
    const url = urlOf(ports.zipkin);
    return {
      endpoints: { traces: { ui: `${url}/zipkin/`, api: `${url}/api/v2` } },
      serviceEnv: { ZIPKIN_URL: url },
      rows: [{ label: 'traces', addresses: [`${url}/zipkin/`] }],
    };
  },
  obtain: async (control) => {
    await Promise.all([obtain(control), obtainJava(control)]);
  },
  prepare: async (context) => {
    const { runDir, ports } = context;
    const [folder, java] = await Promise.all([obtain(), obtainJava()]);
    const cwd = join(runDir, 'zipkin');
    mkdirSync(cwd, { recursive: true });
    const listen = {
      port: String(ports.zipkin),
      ip: '127.0.0.1', // QUERY_ADDR does nothing; without this it listens on every address
      'protocols[0]': 'http',
    };
    const flags = Object.entries(listen).map(([key, value]) => `--armeria.ports[0].${key}=${value}`);
    return {
      command: java,
      args: [...jvmOf(program, folder, context), 'zipkin.server.ZipkinServer', ...flags],
      env: { MEM_MAX_SPANS: spansMax },
      cwd,
    };
  },
  isReady: ({ ports }) => answersOk(`${urlOf(ports.zipkin)}/health`),
  readyDeadlineMs: 180_000, // seconds on an idle machine; one that ends is noticed at once
});

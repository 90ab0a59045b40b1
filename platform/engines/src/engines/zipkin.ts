import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ObtainControl } from '../artifacts/cache.ts';
import { fromMaven } from '../artifacts/maven.ts';
import { obtainJava } from '../artifacts/pypi.ts';
import type { Engine } from '../engine.ts';
import { answersOk } from '../probe.ts';
import { tmpDirOf } from '../process.ts';
import { smallJava } from './java.ts';

const version = '3.6.1';
/** Held in memory, up to 1.7 kB each. 100,000 of them fill the heap: its full collections take 2 s then, of a core that orders need. */
const spansMax = '30000';

const obtain = (control?: ObtainControl): Promise<string> =>
  fromMaven({ name: 'zipkin', version, artifact: `io.zipkin:zipkin-server:${version}:jar:exec` }, control);

/** Zipkin: traces, in memory, with its UI. */
export const zipkin: Engine = {
  name: 'zipkin',
  version,
  cacheEntry: `zipkin-${version}`,
  obtain: async (control) => {
    await Promise.all([obtain(control), obtainJava(control)]);
  },
  prepare: async ({ runDir, ports }) => {
    const [folder, java] = await Promise.all([obtain(), obtainJava()]);
    const cwd = join(runDir, 'zipkin');
    mkdirSync(cwd, { recursive: true });
    const listen = {
      port: String(ports.zipkin),
      ip: '127.0.0.1', // QUERY_ADDR does nothing; without this it listens on every address
      'protocols[0]': 'http',
    };
    const flags = Object.entries(listen).map(([key, value]) => `--armeria.ports[0].${key}=${value}`);
    const jar = join(folder, `zipkin-server-${version}-exec.jar`);
    return {
      command: java,
      args: [...smallJava({ heap: '256m', tmpDir: tmpDirOf(runDir, 'zipkin') }), '-jar', jar, ...flags],
      env: { MEM_MAX_SPANS: spansMax },
      cwd,
    };
  },
  isReady: ({ ports }) => answersOk(`http://127.0.0.1:${ports.zipkin}/health`),
  readyDeadlineMs: 180_000, // seconds on an idle machine; one that ends is noticed at once
};

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ObtainControl } from '../artifacts/cache.ts';
import { pip, python3 } from '../artifacts/debian.ts';
import { fromGo } from '../artifacts/go.ts';
import { defineEngine, loopback, urlOf } from '../engine.ts';
import { answersOk } from '../probe.ts';

/** Of the VictoriaMetrics module, which had it until then. */
const version = '1.117.0';
const obtain = (control?: ObtainControl): Promise<string> =>
  fromGo(
    {
      name: 'victoria-logs',
      version,
      main: 'github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-logs',
    },
    control,
  );

/** VictoriaLogs: the lines that everything of a stack logs, for seven days, with its UI. */
export const victoriaLogs = defineEngine({
  name: 'victoria-logs',
  version,
  presence: 'default',
  ports: { logs: 196 },
  cacheEntry: `victoria-logs-${version}`,
  obtainedWith: [python3, pip],
  runsWith: [],
  addresses: (ports) => {
    const url = urlOf(ports.logs);
    const ui = `${url}/select/vmui/`;
    return {
      endpoints: { logs: { url, ui } },
      serviceEnv: { LOGS_URL: url },
      rows: [{ label: 'logs', addresses: [ui] }],
      metrics: { port: ports.logs, path: '/metrics' },
    };
  },
  obtain: async (control) => {
    await obtain(control);
  },
  prepare: async ({ runDir, ports }) => {
    const cwd = join(runDir, 'victoria-logs');
    mkdirSync(cwd, { recursive: true });
    const flags = {
      storageDataPath: 'data',
      httpListenAddr: `${loopback}:${ports.logs}`,
      retentionPeriod: '7d',
      // Whichever is reached first.
      'retention.maxDiskSpaceUsageBytes': '512MiB',
      'memory.allowedBytes': '128MiB', // of caches; 60 % of the machine by default
      loggerLevel: 'WARN',
    };
    const args = Object.entries(flags).map(([name, value]) => `-${name}=${value}`);
    return { command: await obtain(), args, env: {}, cwd };
  },
  isReady: ({ ports }) => answersOk(`${urlOf(ports.logs)}/health`),
  readyDeadlineMs: 60_000,
});

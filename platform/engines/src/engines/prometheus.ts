import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { debianPackage, ensure } from '../artifacts/debian.ts';
import { defineEngine, loopback, urlOf } from '../engine.ts';
import { answersOk } from '../probe.ts';

const program = '/usr/bin/prometheus';
/** Its package has `promtool` too, which tests the alert rules. */
const serverPackage = debianPackage('prometheus', { package: 'prometheus', file: program });

/** Prometheus from Debian's package as a private instance: metrics of two days, and the alerts. */
export const prometheus = defineEngine({
  name: 'prometheus',
  version: '2.42', // what Debian 12 has; doctor says which is installed
  presence: 'default',
  ports: { prometheus: 197 },
  cacheEntry: undefined,
  obtainedWith: [],
  runsWith: [serverPackage],
  isConfiguredByStack: true,
  addresses: (ports) => {
    const url = urlOf(ports.prometheus);
    return {
      endpoints: { metrics: { url } },
      serviceEnv: {},
      rows: [{ label: 'metrics', addresses: [`${url}/graph`, `${url}/alerts`] }],
      metrics: { port: ports.prometheus, path: '/metrics' },
    };
  },
  obtain: (control) => ensure([serverPackage], control),
  prepare: async ({ runDir, ports, configPath }) => {
    if (configPath === undefined) throw new RangeError('prometheus needs configPath');
    await ensure([serverPackage]);
    const cwd = join(runDir, 'prometheus');
    mkdirSync(cwd, { recursive: true });
    const flags = {
      'config.file': configPath,
      'storage.tsdb.path': 'data',
      // Whichever is reached first.
      'storage.tsdb.retention.time': '2d',
      'storage.tsdb.retention.size': '512MB',
      'web.listen-address': `${loopback}:${ports.prometheus}`,
      'query.timeout': '20s',
      'log.level': 'info', // some thirty lines a start, and what it did last is shown when it dies
    };
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    return { command: program, args, env: {}, cwd };
  },
  isReady: ({ ports }) => answersOk(`${urlOf(ports.prometheus)}/-/ready`),
  readyDeadlineMs: 60_000,
});

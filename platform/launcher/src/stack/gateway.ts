import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureDevKeys, gatewayPolicy, mintToken, renderEnvoy, type Address } from '@parley/gateway-config';
import { endpointsOf } from './addresses.ts';
import { runFiles, type StackContext } from './context.ts';
import type { MintToken } from './engine-host.ts';
import { upstreamsFolder, writeFirstUpstreams } from './gateway-upstreams.ts';
import { host } from './instances.ts';
import { readScale } from './scale-file.ts';

const addressOf = (url: string): Address => ({ host, port: Number(new URL(url).port) });

/** Writes the gateway's bootstrap for a stack, from the typed routes, and answers its path. */
export const writeEnvoyConfig = async (context: StackContext): Promise<string> => {
  const { runDir } = context;
  const endpoints = endpointsOf(context, readScale(runDir));
  const { jwksPath } = await ensureDevKeys(runDir);
  const { logs } = runFiles(runDir);
  await mkdir(logs, { recursive: true });
  await writeFirstUpstreams(runDir, endpoints.instances);
  const text = renderEnvoy({
    policy: gatewayPolicy,
    listen: addressOf(endpoints.gateway.url),
    admin: addressOf(endpoints.gateway.admin),
    upstreams: { followed: upstreamsFolder(runDir) },
    jwksPath,
    zipkin: addressOf(endpoints.traces.ui),
    accessLogPath: join(logs, 'gateway-access.log'),
  });
  const path = join(runDir, 'gateway', 'envoy.yaml');
  await writeFile(path, text);
  return path;
};

/** A token that the gateway of this run folder accepts. */
export const mintTokenIn: MintToken = async ({ runDir, sub, ttlSeconds }) => {
  const { privateKeyPath } = await ensureDevKeys(runDir);
  return mintToken({ privateKeyPath, sub, ttlSeconds });
};

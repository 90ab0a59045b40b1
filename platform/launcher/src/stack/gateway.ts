import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServiceName } from '@parley/contracts/endpoints';
import { ensureDevKeys, gatewayPolicy, mintToken, renderEnvoy, type Address } from '@parley/gateway-config';
import { endpointsOf } from './addresses.ts';
import { runFiles, type StackContext } from './context.ts';
import type { MintToken } from './engine-host.ts';
import { host, instancesOf } from './instances.ts';
import { readScale } from './scale-file.ts';

const addressOf = (url: string): Address => ({ host, port: Number(new URL(url).port) });

/** Writes the gateway's bootstrap for a stack, from the typed routes, and answers its path. */
export const writeEnvoyConfig = async (context: StackContext): Promise<string> => {
  const { runDir } = context;
  const scale = readScale(runDir);
  const endpoints = endpointsOf(context, scale);
  const upstream = (name: ServiceName): readonly Address[] =>
    instancesOf(name, scale, context).map((instance) => ({ host: instance.host, port: instance.ports.http }));
  const { jwksPath } = await ensureDevKeys(runDir);
  const { logs } = runFiles(runDir);
  await mkdir(logs, { recursive: true });
  const text = renderEnvoy({
    policy: gatewayPolicy,
    listen: addressOf(endpoints.gateway.url),
    admin: addressOf(endpoints.gateway.admin),
    upstreams: {
      order: upstream('order'),
      product: upstream('product'),
      payment: upstream('payment'),
      notification: upstream('notification'),
      shipping: upstream('shipping'),
    },
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

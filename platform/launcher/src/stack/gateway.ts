import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { typedPath } from '@parley/cli';
import {
  ensureDevKeys,
  mintToken,
  policyFrom,
  renderEnvoy,
  writePolicy,
  type Address,
} from '@parley/gateway-config';
import { endpointsOf } from './addresses.ts';
import { runFiles, type StackContext } from './context.ts';
import type { MintToken } from './engine-host.ts';
import { upstreamsFolder, writeFirstUpstreams } from './gateway-upstreams.ts';
import { host } from './instances.ts';
import { readScale } from './scale-file.ts';

const addressOf = (url: string): Address => ({ host, port: Number(new URL(url).port) });

/**
 * Parley's policy, with what the document that `PARLEY_GATEWAY_POLICY` names says otherwise: a path relative to where the
 * command was typed.
 */
const policyOf = async (env: NodeJS.ProcessEnv): Promise<ReturnType<typeof policyFrom>> => {
  const { PARLEY_GATEWAY_POLICY: given } = env;
  return policyFrom(given === undefined ? '{}' : await readFile(typedPath(given, env), 'utf8'));
};

/** Writes the gateway's bootstrap for a stack, and its policy beside it, and answers the path of the first. */
export const writeEnvoyConfig = async (context: StackContext): Promise<string> => {
  const { runDir } = context;
  const endpoints = endpointsOf(context, readScale(runDir));
  const { jwksPath } = await ensureDevKeys(runDir);
  const { logs } = runFiles(runDir);
  await mkdir(logs, { recursive: true });
  await writeFirstUpstreams(runDir, endpoints);
  const policy = await policyOf(process.env);
  const policyFolder = join(runDir, 'gateway', 'policy');
  await writePolicy(policyFolder, { policy, jwks: await readFile(jwksPath, 'utf8') });
  const text = renderEnvoy({
    policy,
    listen: addressOf(endpoints.gateway.url),
    admin: addressOf(endpoints.gateway.admin),
    upstreams: { followed: upstreamsFolder(runDir) },
    jwksPath,
    policyFolder,
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

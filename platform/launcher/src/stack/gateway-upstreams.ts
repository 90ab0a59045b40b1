import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Endpoints } from '@parley/contracts/endpoints';
import {
  upstreamNames,
  upstreams,
  writeEndpoints,
  type Address,
  type UpstreamName,
} from '@parley/gateway-config';
import { openEureka, type Discovery, type Instance } from '@parley/service/discovery';
import { messageOf } from '../cli/exit.ts';
import type { Output } from '../cli/output.ts';
import { writeRegisteredTargets } from '../metrics/targets.ts';
import { host } from './instances.ts';
import { defaultVersion } from './scale.ts';

/** The folder in which a stack's gateway finds the instances of every service. */
export const upstreamsFolder = (runDir: string): string => join(runDir, 'gateway', 'upstreams');

const addressesOf = (instances: readonly Instance[], name: UpstreamName): readonly Address[] => {
  const { service, port: kind } = upstreams[name];
  return instances.flatMap(({ service: of, host: at, ports }) => {
    const port = ports[kind];
    return of === service && port !== undefined ? [{ host: at, port }] : [];
  });
};

/** Forgets what an earlier start of the stack found. */
export const forgetUpstreams = (runDir: string): Promise<void> =>
  rm(upstreamsFolder(runDir), { recursive: true, force: true });

/** Tells the gateway where these instances are. A service that has none of them gets no request. */
export const writeUpstreams = async (runDir: string, instances: readonly Instance[]): Promise<void> => {
  for (const name of upstreamNames)
    await writeEndpoints(upstreamsFolder(runDir), name, addressesOf(instances, name));
};

/**
 * Writes the first upstreams of a gateway, unless it was restarted and has some: every instance, or none in a stack with a
 * registry, whose first list would remove those that have not registered yet.
 */
export const writeFirstUpstreams = async (
  runDir: string,
  { instances, discovery }: Pick<Endpoints, 'instances' | 'discovery'>,
): Promise<void> => {
  if (!existsSync(upstreamsFolder(runDir)))
    await writeUpstreams(runDir, discovery === undefined ? instances : []);
};

const adminDeadlineMs = 2000;

/** True when the gateway that runs forwards to these instances, by what its admin port says. */
export const gatewayKnows = async (
  { admin }: Endpoints['gateway'],
  instances: readonly Instance[],
): Promise<boolean> => {
  try {
    const response = await fetch(`${admin}/clusters`, { signal: AbortSignal.timeout(adminDeadlineMs) });
    const lines = (await response.text()).split('\n');
    return upstreamNames.every((name) =>
      addressesOf(instances, name).every(({ host: at, port }) =>
        lines.some((line) => line.startsWith(`${name}::${at}:${port}::`)),
      ),
    );
  } catch {
    return false;
  }
};

/** What the gateway's upstreams and Prometheus' targets follow. */
export interface FollowRegistryOptions {
  readonly runDir: string;
  readonly endpoints: Endpoints;
  readonly output: Output;
}

/**
 * Lists the gateway in the stack's registry and keeps its upstreams, and what Prometheus asks, what the registry lists,
 * as callers do: the last known instances when it is away. Undefined in a stack without a registry.
 */
export const followRegistry = async ({
  runDir,
  endpoints,
  output,
}: FollowRegistryOptions): Promise<Discovery | undefined> => {
  if (endpoints.discovery === undefined) return undefined;
  const written = new Map<UpstreamName, string>();
  let targets: string | undefined;
  let writing = Promise.resolve();
  const follow = async (instances: readonly Instance[]): Promise<void> => {
    for (const name of upstreamNames) {
      const addresses = addressesOf(instances, name);
      const text = JSON.stringify(addresses);
      if (written.get(name) === text) continue;
      await writeEndpoints(upstreamsFolder(runDir), name, addresses);
      written.set(name, text);
    }
    const text = JSON.stringify(instances);
    if (endpoints.metrics === undefined || text === targets) return; // told after every reading
    await writeRegisteredTargets(runDir, instances);
    targets = text;
  };
  const discovery = openEureka({
    url: endpoints.discovery.url,
    log: {
      info: (_fields, message) => {
        output.line(`gateway: ${message}`);
      },
      warn: (_fields, message) => {
        output.bad(`gateway: ${message}`);
      },
    },
    changed: (services) => {
      writing = writing
        .then(() => follow(Object.values(services).flat()))
        .catch((error: unknown) => {
          output.bad(`what follows the registry: ${messageOf(error)}`); // tried again at the next reading
        });
    },
  });
  await discovery.start();
  const http = Number(new URL(endpoints.gateway.url).port);
  await discovery.join({
    service: 'gateway',
    id: 'gateway-1',
    version: defaultVersion,
    host,
    ports: { http },
  });
  return discovery;
};

/** Where the stack is: the environment, else the file that a running stack writes. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Endpoints, serviceNames } from '@parley/contracts/endpoints';
import { CommandError } from './cli/exit.ts';

export interface LogAddresses {
  /** host:port of each broker, separated by commas */
  readonly bootstrap: string;
  /** Base URL of the registry's Confluent-compatible API. */
  readonly registryUrl: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Shown by --help. */
export const addressHelp = `Where: KAFKA_BOOTSTRAP and REGISTRY_URL when both are set, else the file that PARLEY_ENDPOINTS names, else that of
the running stack (.parley/endpoints.json).`;

/** Everything of the running stack. @throws CommandError (environment) when none is known. */
export function endpointsFrom(env: Environment): Endpoints {
  const path = resolve(
    env.PARLEY_ENDPOINTS ?? resolve(import.meta.dirname, '../../../.parley/endpoints.json'),
  );
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new CommandError(
      'environment',
      `no stack is running: there is no ${path}. Start one with npm run dev`,
      error,
    );
  }
  try {
    return Endpoints.parse(JSON.parse(text));
  } catch (error) {
    throw new CommandError(
      'environment',
      `${path} is no file of endpoints. Start a stack with npm run dev`,
      error,
    );
  }
}

/** The log alone: enough to read, to export and to import. @throws CommandError (environment) */
export function logAddressesFrom(env: Environment): LogAddresses {
  const { KAFKA_BOOTSTRAP: bootstrap, REGISTRY_URL: registryUrl } = env;
  if (bootstrap !== undefined && registryUrl !== undefined) {
    if (!/^[A-Za-z0-9.-]+:\d{1,5}(,[A-Za-z0-9.-]+:\d{1,5})*$/.test(bootstrap) || !URL.canParse(registryUrl))
      throw new CommandError(
        'usage',
        'KAFKA_BOOTSTRAP must be host:port (of more brokers with commas) and REGISTRY_URL a URL',
      );
    return { bootstrap, registryUrl };
  }
  const endpoints = endpointsFrom(env);
  return {
    bootstrap: bootstrap ?? endpoints.kafka.bootstrap,
    registryUrl: registryUrl ?? endpoints.registry.url,
  };
}

/** The operations servers of the running stack, by service. @throws CommandError (environment) */
export function opsFrom(env: Environment): Readonly<Record<string, string>> {
  const endpoints = endpointsFrom(env);
  return Object.fromEntries(serviceNames.map((name) => [name, endpoints[name].ops]));
}

/** Base URL of the trace store's API; undefined when no stack is known. */
export function tracesFrom(env: Environment): string | undefined {
  try {
    return endpointsFrom(env).traces.api;
  } catch (error) {
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}

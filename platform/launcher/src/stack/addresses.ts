import { join } from 'node:path';
import { Endpoints, serviceNames, type Instance, type ServiceName } from '@parley/contracts/endpoints';
import { addressesOf, endpointsOfEngines, engineNamed } from '@parley/engines';
import { enginesOf, runFiles, type StackContext } from './context.ts';
import { host, instancesOfStack } from './instances.ts';
import { servicePorts } from './ports.ts';
import { oneOfEach, type Scale } from './scale.ts';

/** How long a service may drain, in milliseconds, before it is killed. */
export const shutdownDeadlineMs = 10_000;

const http = (port: number): string => `http://${host}:${port}`;

/** What tells which addresses a stack has. */
type HasAddresses = Pick<StackContext, 'portBase' | 'engines'>;

/** Where everything of the stack in `context` is when it has this scale: the content of endpoints.json. */
export const endpointsOf = (context: HasAddresses, scale: Scale = oneOfEach): Endpoints => {
  const { portBase } = context;
  const plain = (name: ServiceName): { http: string; ops: string } => {
    const ports = servicePorts(name, 1, { portBase });
    return { http: http(ports.http), ops: http(ports.ops) };
  };
  const withGrpc = (name: ServiceName): { http: string; ops: string; grpc: string } => ({
    ...plain(name),
    grpc: `${host}:${servicePorts(name, 1, { portBase }).grpc ?? 0}`,
  });
  return Endpoints.parse({
    ...endpointsOfEngines(enginesOf(context), portBase),
    order: withGrpc('order'),
    product: withGrpc('product'),
    payment: plain('payment'),
    notification: plain('notification'),
    shipping: plain('shipping'),
    instances: instancesOfStack(scale, context),
  });
};

/** The service with this name, or undefined. */
export const serviceNamed = (name: string | undefined): ServiceName | undefined =>
  serviceNames.find((candidate) => candidate === name);

/** Where a service finds the engines of its stack. */
const engineEnv = (service: ServiceName, context: HasAddresses): Record<string, string> => {
  const engines = enginesOf(context);
  const used = engines.filter((name) => engineNamed(name).users?.includes(service) ?? true);
  const envs = used.map((name) => addressesOf(name, context.portBase, engines).serviceEnv);
  return Object.assign({}, ...envs) as Record<string, string>;
};

/** The addresses of every instance of a service, comma-separated. */
const peersOf = (
  service: ServiceName,
  { instances }: Endpoints,
  address: (instance: Instance) => string,
): string =>
  instances
    .filter((instance) => instance.service === service)
    .map(address)
    .join(',');

/** The environment of one instance's process: all of it, nothing is left to a default of the service. */
export const serviceEnv = (
  { service, id, version, ports }: Instance,
  context: Pick<StackContext, 'portBase' | 'runDir' | 'engines'>,
  scale: Scale = oneOfEach,
): Record<string, string> => {
  const endpoints = endpointsOf(context, scale);
  return {
    PARLEY_HOST: host,
    HTTP_PORT: String(ports.http),
    OPS_PORT: String(ports.ops),
    ...(ports.grpc === undefined ? {} : { GRPC_PORT: String(ports.grpc) }),
    ...engineEnv(service, context),
    SNAPSHOT_DIR: join(runFiles(context.runDir).snapshots, id),
    INSTANCE_ID: id,
    INSTANCE_VERSION: version,
    SHUTDOWN_DEADLINE_MS: String(shutdownDeadlineMs),
    PARLEY_FAULTS: 'on',
    ...(service === 'order'
      ? {
          PRODUCT_GRPC: peersOf('product', endpoints, (at) => `${at.host}:${at.ports.grpc ?? 0}`),
          PAYMENT_URL: peersOf('payment', endpoints, (at) => `http://${at.host}:${at.ports.http}`),
        }
      : {}),
  };
};

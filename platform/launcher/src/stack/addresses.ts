import { join } from 'node:path';
import { Endpoints, serviceNames, type ServiceName } from '@parley/contracts/endpoints';
import { addressesOf, endpointsOfEngines, type EngineName } from '@parley/engines';
import { enginesOf, runFiles, type StackContext } from './context.ts';
import { servicePorts } from './ports.ts';

/** Everything binds here: a development stack is not for the network. */
export const host = '127.0.0.1';

/** How long a service may drain, in milliseconds, before it is killed. */
export const shutdownDeadlineMs = 10_000;

const http = (port: number): string => `http://${host}:${port}`;

/** What tells which addresses a stack has. */
type HasAddresses = Pick<StackContext, 'portBase' | 'engines'>;

/** Where everything of the stack in `context` is: the content of endpoints.json. */
export const endpointsOf = (context: HasAddresses): Endpoints => {
  const { portBase } = context;
  const plain = (name: ServiceName): { http: string; ops: string } => {
    const ports = servicePorts(name, { portBase });
    return { http: http(ports.http), ops: http(ports.ops) };
  };
  const withGrpc = (name: ServiceName): { http: string; ops: string; grpc: string } => ({
    ...plain(name),
    grpc: `${host}:${servicePorts(name, { portBase }).grpc ?? 0}`,
  });
  return Endpoints.parse({
    ...endpointsOfEngines(enginesOf(context), portBase),
    order: withGrpc('order'),
    product: withGrpc('product'),
    payment: plain('payment'),
    notification: plain('notification'),
    shipping: plain('shipping'),
  });
};

/** The service with this name, or undefined. */
export const serviceNamed = (name: string | undefined): ServiceName | undefined =>
  serviceNames.find((candidate) => candidate === name);

/** Services that are told of an engine; it is all of them for one that is not named here. */
const usersOf: Readonly<Partial<Record<EngineName, readonly ServiceName[]>>> = {
  rabbitmq: ['notification', 'shipping'],
};

/** Where a service finds the engines of its stack. */
const engineEnv = (service: ServiceName, context: HasAddresses): Record<string, string> => {
  const used = enginesOf(context).filter((name) => usersOf[name]?.includes(service) ?? true);
  return Object.assign({}, ...used.map((name) => addressesOf(name, context.portBase).serviceEnv)) as Record<
    string,
    string
  >;
};

/** The environment of one service process: all of it, nothing is left to a default of the service. */
export const serviceEnv = (
  service: ServiceName,
  context: Pick<StackContext, 'portBase' | 'runDir' | 'engines'>,
): Record<string, string> => {
  const ports = servicePorts(service, context);
  const endpoints = endpointsOf(context);
  return {
    PARLEY_HOST: host,
    HTTP_PORT: String(ports.http),
    OPS_PORT: String(ports.ops),
    ...(ports.grpc === undefined ? {} : { GRPC_PORT: String(ports.grpc) }),
    ...engineEnv(service, context),
    SNAPSHOT_DIR: join(runFiles(context.runDir).snapshots, service),
    INSTANCE_ID: `${service}-1`,
    SHUTDOWN_DEADLINE_MS: String(shutdownDeadlineMs),
    ...(service === 'order'
      ? { PRODUCT_GRPC: endpoints.product.grpc, PAYMENT_URL: endpoints.payment.http }
      : {}),
  };
};

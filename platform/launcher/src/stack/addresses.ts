import { join } from 'node:path';
import { serviceNames, type Endpoints, type ServiceName } from '@parley/contracts/endpoints';
import { portsFor } from '@parley/engines';
import { runFiles, type StackContext } from './context.ts';
import { servicePorts } from './ports.ts';

/** Everything binds here: a development stack is not for the network. */
export const host = '127.0.0.1';

/** How long a service may drain, in milliseconds, before it is killed. */
export const shutdownDeadlineMs = 10_000;

const http = (port: number): string => `http://${host}:${port}`;

/** Where everything of the stack in `context` is: the content of endpoints.json. */
export const endpointsOf = ({ portBase }: Pick<StackContext, 'portBase'>): Endpoints => {
  const plain = (name: ServiceName): { http: string; ops: string } => {
    const ports = servicePorts(name, { portBase });
    return { http: http(ports.http), ops: http(ports.ops) };
  };
  const withGrpc = (name: ServiceName): { http: string; ops: string; grpc: string } => ({
    ...plain(name),
    grpc: `${host}:${servicePorts(name, { portBase }).grpc ?? 0}`,
  });
  const engines = portsFor(portBase);
  return {
    gateway: { url: http(engines.gateway), admin: http(engines.gatewayAdmin) },
    order: withGrpc('order'),
    product: withGrpc('product'),
    payment: plain('payment'),
    notification: plain('notification'),
    shipping: plain('shipping'),
    kafka: { bootstrap: `${host}:${engines.kafka}` },
    registry: { url: `${http(engines.registry)}/apis/ccompat/v7` },
    rabbitmq: {
      amqp: `amqp://${host}:${engines.rabbitmqAmqp}`,
      management: http(engines.rabbitmqManagement),
    },
    traces: { ui: `${http(engines.zipkin)}/zipkin/`, api: `${http(engines.zipkin)}/api/v2` },
  };
};

/** The service with this name, or undefined. */
export const serviceNamed = (name: string | undefined): ServiceName | undefined =>
  serviceNames.find((candidate) => candidate === name);

/** The environment of one service process: all of it, nothing is left to a default of the service. */
export const serviceEnv = (
  service: ServiceName,
  context: Pick<StackContext, 'portBase' | 'runDir'>,
): Record<string, string> => {
  const ports = servicePorts(service, context);
  const endpoints = endpointsOf(context);
  return {
    PARLEY_HOST: host,
    HTTP_PORT: String(ports.http),
    OPS_PORT: String(ports.ops),
    ...(ports.grpc === undefined ? {} : { GRPC_PORT: String(ports.grpc) }),
    KAFKA_BOOTSTRAP: endpoints.kafka.bootstrap,
    REGISTRY_URL: endpoints.registry.url,
    ZIPKIN_URL: new URL(endpoints.traces.ui).origin,
    SNAPSHOT_DIR: join(runFiles(context.runDir).snapshots, service),
    INSTANCE_ID: `${service}-1`,
    SHUTDOWN_DEADLINE_MS: String(shutdownDeadlineMs),
    ...(service === 'notification' || service === 'shipping'
      ? { RABBITMQ_URL: endpoints.rabbitmq.amqp }
      : {}),
    ...(service === 'order'
      ? { PRODUCT_GRPC: endpoints.product.grpc, PAYMENT_URL: endpoints.payment.http }
      : {}),
  };
};

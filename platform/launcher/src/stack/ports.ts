import type { ServiceName } from '@parley/contracts/endpoints';
import type { StackContext } from './context.ts';

/** Where one service listens. */
export interface ServicePorts {
  readonly http: number;
  readonly ops: number;
  readonly grpc: number | undefined;
}

const offsets: Readonly<Record<ServiceName, { readonly offset: number; readonly grpc: boolean }>> = {
  order: { offset: 100, grpc: true },
  product: { offset: 110, grpc: true },
  payment: { offset: 120, grpc: false },
  notification: { offset: 130, grpc: false },
  shipping: { offset: 140, grpc: false },
};

/** Ports of a service in the stack with this base: http, +1 gRPC, +2 operations. */
export const servicePorts = (
  service: ServiceName,
  { portBase }: Pick<StackContext, 'portBase'>,
): ServicePorts => {
  const { offset, grpc } = offsets[service];
  const http = portBase + offset;
  return { http, ops: http + 2, grpc: grpc ? http + 1 : undefined };
};

/** Every other port of a stack, as offsets from its base. */
export const offsetsOfEngines = {
  gateway: 80,
  gatewayAdmin: 89,
  rabbitmq: 172,
  rabbitmqManagement: 173,
  registry: 181,
  kafka: 192,
  zipkin: 194,
} as const;

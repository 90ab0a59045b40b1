import { z } from 'zod';

const url = z.url();
const hostPort = z.string().regex(/^[A-Za-z0-9.-]+:\d{1,5}$/, 'must be host:port');

/** Where one service listens. `http` and `ops` are base URLs, `grpc` is host:port. */
const service = z.object({ http: url, ops: url });
const grpcService = service.extend({ grpc: hostPort });

/**
 * `endpoints.json` in the run folder: where everything of a running stack is. Written when the stack is ready.
 * Whatever needs an address, tests included, takes it from here or from the environment.
 */
export const Endpoints = z.object({
  gateway: z.object({ url, admin: url }),
  order: grpcService,
  product: grpcService,
  payment: service,
  notification: service,
  shipping: service,
  kafka: z.object({ bootstrap: hostPort }),
  registry: z.object({ url }),
  rabbitmq: z.object({ amqp: z.string().startsWith('amqp://'), management: url }),
  traces: z.object({ ui: url, api: url }),
  /** Eureka's REST interface; absent in a stack that does without that engine, as are those below. */
  discovery: z.object({ url }).optional(),
});
export type Endpoints = z.infer<typeof Endpoints>;

/** The five services, in the order in which an order meets them. */
export const serviceNames = ['order', 'product', 'payment', 'notification', 'shipping'] as const;
export type ServiceName = (typeof serviceNames)[number];

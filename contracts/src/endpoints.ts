import { z } from 'zod';

const url = z.url();
const hostPort = z.string().regex(/^[A-Za-z0-9.-]+:\d{1,5}$/, 'must be host:port');
const hostPorts = z
  .string()
  .regex(/^[A-Za-z0-9.-]+:\d{1,5}(,[A-Za-z0-9.-]+:\d{1,5})*$/, 'must be host:port,host:port …');

/** The five services, in the order in which an order meets them. */
export const serviceNames = ['order', 'product', 'payment', 'notification', 'shipping'] as const;
export type ServiceName = (typeof serviceNames)[number];

/** One process of a service. Everything that lists, calls, starts or tells apart processes does so by it. */
export const Instance = z.object({
  service: z.enum(serviceNames),
  /** Unique in the stack: `product-2`. The same process keeps it over restarts. */
  id: z.string(),
  /** Of the code that it runs; tells a canary from the rest. */
  version: z.string(),
  host: z.string(),
  ports: z.object({ http: z.int(), ops: z.int(), grpc: z.int().optional() }),
});
export type Instance = z.infer<typeof Instance>;

/** Where the first instance of a service listens. `http` and `ops` are base URLs, `grpc` is host:port. */
const service = z.object({ http: url, ops: url });
const grpcService = service.extend({ grpc: hostPort });

/**
 * `endpoints.json` in the run folder: where everything of a running stack is. Written when the stack is ready.
 * Whatever needs an address, tests included, takes it from here or from the environment.
 */
export const Endpoints = z.object({
  /** Absent from a stack that was started without it. */
  console: z.object({ url }).optional(),
  gateway: z.object({ url, admin: url }),
  order: grpcService,
  product: grpcService,
  payment: service,
  notification: service,
  shipping: service,
  /** Every broker, separated by commas: what Kafka's clients call `bootstrap.servers`. */
  kafka: z.object({ bootstrap: hostPorts }),
  registry: z.object({ url }),
  rabbitmq: z.object({ amqp: z.string().startsWith('amqp://'), management: url }),
  traces: z.object({ ui: url, api: url }),
  /** Every instance of every service, those above among them, in the order of `serviceNames`. */
  instances: z.array(Instance),
  /** Eureka's REST interface; absent in a stack that does without that engine, as are those below. */
  discovery: z.object({ url }).optional(),
  /** VictoriaLogs: `url` takes and answers logs, `ui` is for people. */
  logs: z.object({ url, ui: url }).optional(),
  /** Prometheus. */
  metrics: z.object({ url }).optional(),
});
export type Endpoints = z.infer<typeof Endpoints>;

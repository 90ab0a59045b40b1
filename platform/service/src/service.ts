import type { Context, Hono } from 'hono';
import { randomUUID } from 'node:crypto';
import type { DestinationStream } from 'pino';
import type { SpanProcessor } from '@opentelemetry/sdk-trace';
import type { ServiceConfig } from './config.ts';
import type { ErrorCatalog, KitErrorCode } from './errors.ts';
import { openDiscovery } from './discovery/choose.ts';
import type { Discovery } from './discovery/discovery.ts';
import type { Instance, Resolve } from './discovery/instance.ts';
import { discoveryRoute, observeDiscovery } from './discovery/signals.ts';
import { FaultInjector } from './faults/injector.ts';
import { faultRoutes } from './faults/routes.ts';
import { guardOf, type RequestGuard } from './guard.ts';
import { GrpcServer } from './grpc/server.ts';
import { createHttpApp } from './http/app.ts';
import { type ProblemDetails, problemsOf } from './http/problem.ts';
import { IN_FLIGHT_MAX } from './http/in-flight.ts';
import { type HttpServer, listenHttp } from './http/server.ts';
import { type UserGuard, userGuardOf } from './http/user.ts';
import { validatorsOf } from './http/validation.ts';
import { createLogger, type Logger } from './logging.ts';
import { Lifecycle, type StopHook } from './lifecycle.ts';
import { createOpsApp, type OpsApp, type OpsRoute } from './ops.ts';
import type { Policy } from './policy/policy.ts';
import { policiesOf } from './policy/registry.ts';
import type { PolicyDefaults } from './policy/settings.ts';
import { Readiness } from './readiness.ts';
import { metricsRoute } from './telemetry/metrics-route.ts';
import { startTelemetry, type Telemetry } from './telemetry/telemetry.ts';

const HTTP_DEADLINE_MS = 10_000;
/** Of a shutdown's deadline, how much saying goodbye to the registry may take: the rest is for the drain. */
const LEAVE_SHARE_MAX = 2 / 3;

export interface ServiceOptions<Code extends string> {
  readonly name: string;
  readonly config: ServiceConfig;
  readonly errors: ErrorCatalog<Code>;
  /** Peers that it calls, where the environment says that they are; a registry goes before that. Default: none. */
  readonly peers?: readonly Instance[];
  /** Limit of one HTTP request. Default 10 s. */
  readonly httpDeadlineMs?: number;
  /** HTTP requests, and gRPC calls, worked on at the same time; above it they are refused as OVERLOADED. Default 2000. */
  readonly inFlightMax?: number;
  /** Where policies take their settings from. Default: the environment of the process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Instead of stdout; for tests. */
  readonly logDestination?: DestinationStream;
  /** Instead of the export to Zipkin; for tests. */
  readonly spanProcessors?: readonly SpanProcessor[];
  /** False: no signal handlers and no process.exit; for tests. Default true. */
  readonly ownsProcess?: boolean;
}

/** What every service stands on. Declare routes, checks and hooks first, then `run`. */
export interface Service<Code extends string = string> {
  readonly name: string;
  readonly logger: Logger;
  /** Correlation id, span, access log, body limit, deadline and problem answers are already on. */
  readonly http: Hono;
  readonly grpc: GrpcServer;
  readonly readiness: Readiness;
  /** The instances of a peer that may be called now. */
  readonly resolve: Resolve;
  /** Sets what looks at every HTTP request and gRPC call before it is handled; the last one set counts. */
  guard(guard: RequestGuard<Code>): void;
  /**
   * A new policy for calls to a dependency: settings from the environment (`POLICY_<NAME>_…`), the defaults for the
   * rest; the process ends with 3 when they cannot be used. `GET /ops/policies` shows it, and every change of its
   * breaker is a log line.
   */
  policy(name: string, defaults: PolicyDefaults): Policy;
  /** Adds routes to the operations server, which already answers `/livez`, `/readyz` and `/metrics`. */
  addOps(routes: readonly OpsRoute[]): void;
  /** Answers with an RFC 9457 problem. */
  problem(c: Context, code: Code | KitErrorCode, details?: ProblemDetails): Response;
  readonly body: ReturnType<typeof validatorsOf>['body'];
  readonly query: ReturnType<typeof validatorsOf>['query'];
  readonly param: ReturnType<typeof validatorsOf>['param'];
  /** Goes before a handler that needs a user: answers UNAUTHENTICATED when the gateway named none. */
  readonly user: UserGuard;
  /** Called after the servers have drained, in reverse order of registration. */
  onStop(name: string, hook: StopHook): void;
  /**
   * Operations server first, then `start`, then HTTP and gRPC. Resolves when all listen. A `start` that rejects stops
   * what was started; the process then ends with 1, or with the `exitCode` 3 of the error. SIGTERM and SIGINT drain; a clean drain ends with 0.
   */
  run(start: (signal: AbortSignal) => Promise<void> | void): Promise<void>;
  /** Aborts as the service begins to stop, before its servers drain: what would outlast that ends by it. */
  readonly stopping: AbortSignal;
  /** Drains and stops. Idempotent; true when nothing was cut off. */
  stop(): Promise<boolean>;
  /** The ports listened on, once running. */
  readonly ports: { readonly http?: number; readonly grpc?: number; readonly ops?: number };
}

const loggerOf = (
  { name, config, logDestination }: Pick<ServiceOptions<string>, 'name' | 'config' | 'logDestination'>,
  instance: string,
): Logger => {
  const destination = logDestination === undefined ? {} : { destination: logDestination };
  return createLogger({ service: name, instance, level: config.LOG_LEVEL, ...destination });
};

const telemetryOf = <Code extends string>(
  { name, config, spanProcessors }: ServiceOptions<Code>,
  instance: string,
  logger: Logger,
): Telemetry =>
  startTelemetry({
    service: name,
    instance,
    zipkinUrl: config.ZIPKIN_URL,
    logger,
    ...(spanProcessors === undefined ? {} : { processors: spanProcessors }),
  });

const discoveryOf = <Code extends string>(
  { config, peers = [] }: ServiceOptions<Code>,
  log: Logger,
  readiness: Readiness,
): Discovery =>
  openDiscovery({
    config,
    peers,
    log,
    // An instance that starts is listed once it listens; what it does then is the other checks' to say.
    isHealthy: () =>
      Object.entries(readiness.report().checks).every(([check, { ready }]) => check === 'lifecycle' || ready),
  });

/** Listens for operations until the end of the process; answers the port. */
const listenOps = async (ops: OpsApp, config: ServiceConfig, lifecycle: Lifecycle): Promise<number> => {
  const server = await listenHttp(ops.app, { port: config.OPS_PORT, host: config.PARLEY_HOST });
  // Before the hooks end what the lines are made with; a client that reads none of them must not use up their time.
  lifecycle.addServer('answers in lines', (deadlineMs) => ops.ended(deadlineMs / 2));
  lifecycle.addLast('ops', async (deadlineMs) => {
    await server.drain(deadlineMs);
  });
  return server.port;
};

/** What both servers of a process share. */
const sharedOf = ({ PARLEY_FAULTS: mode }: ServiceConfig) => ({
  late: { http: 0, grpc: 0 },
  faults: mode === 'on' ? new FaultInjector() : undefined,
});

/** Both servers for clients, drained when the process stops. */
const listen = async (options: {
  readonly http: Hono;
  readonly grpc: GrpcServer;
  readonly config: ServiceConfig;
  readonly ports: { http?: number; grpc?: number };
  readonly lifecycle: Lifecycle;
  readonly signal: AbortSignal;
}): Promise<void> => {
  const { http, grpc, config, ports, lifecycle, signal } = options;
  const { PARLEY_HOST: host, HTTP_PORT: port, GRPC_PORT: grpcPort = 0 } = config;
  const server: HttpServer = await listenHttp(http, { port, host });
  ports.http = server.port;
  lifecycle.addServer('http', (deadlineMs) => server.drain(deadlineMs));
  signal.throwIfAborted(); // what drains takes no calls and joins no list
  if (!grpc.hasServices) return;
  ports.grpc = await grpc.listen(grpcPort, host);
  lifecycle.addServer('grpc', (deadlineMs) => grpc.drain(deadlineMs));
  signal.throwIfAborted();
};

const readinessOf = (lifecycle: Lifecycle): Readiness => {
  const readiness = new Readiness();
  readiness.add('lifecycle', () => ({ ready: lifecycle.state === 'running', detail: lifecycle.state }));
  return readiness;
};

/** Builds the service of one process. Nothing listens before `run`. */
export const createService = <const Code extends string>(options: ServiceOptions<Code>): Service<Code> => {
  const { name, config, errors: catalog, inFlightMax = IN_FLIGHT_MAX } = options;
  const { PARLEY_HOST: host, INSTANCE_VERSION: version = 'dev' } = config;
  const instance = config.INSTANCE_ID ?? `${name}-${randomUUID().slice(0, 8)}`;
  const logger = loggerOf(options, instance);
  const telemetry = telemetryOf(options, instance, logger);
  const lifecycle = new Lifecycle({
    logger,
    deadlineMs: config.SHUTDOWN_DEADLINE_MS,
    ownsProcess: options.ownsProcess ?? true,
  });
  const problem = problemsOf<Code>(catalog);
  const guard = guardOf(problem);
  const shared = sharedOf(config);
  const http = createHttpApp({
    logger,
    problem,
    deadlineMs: options.httpDeadlineMs ?? HTTP_DEADLINE_MS,
    inFlightMax,
    draining: () => lifecycle.state !== 'running' && lifecycle.state !== 'starting',
    guard: guard.http,
    ...shared,
  });
  const grpc = new GrpcServer({ catalog, logger, inFlightMax, guard: guard.grpc, ...shared });
  const readiness = readinessOf(lifecycle);
  const ops = createOpsApp({ service: name, instance, version, readiness, problem, logger, lifecycle });
  const policies = policiesOf({ logger, late: shared.late, env: options.env ?? process.env });
  const ports: { http?: number; grpc?: number; ops?: number } = {};
  const discovery = discoveryOf(options, logger, readiness);
  ops.add([
    ...policies.routes,
    ...faultRoutes(shared.faults),
    metricsRoute(telemetry),
    discoveryRoute(discovery),
  ]);

  return {
    name,
    logger,
    http,
    grpc,
    readiness,
    resolve: discovery.resolve,
    guard: guard.set,
    policy: policies.policy,
    addOps: ops.add,
    problem,
    ...validatorsOf(problem),
    user: userGuardOf(problem),
    ports,
    onStop: (hookName, hook) => {
      lifecycle.addHook(hookName, hook);
    },
    run: (start) =>
      lifecycle.run(async (signal) => {
        ports.ops = await listenOps(ops, config, lifecycle);
        lifecycle.addLast('telemetry', (deadlineMs) => telemetry.stop(deadlineMs));
        await discovery.start();
        observeDiscovery(discovery);
        lifecycle.addLast('discovery', () => discovery.close());
        await start(signal);
        signal.throwIfAborted();
        lifecycle.addFirst('discovery', (deadlineMs) => discovery.leave(LEAVE_SHARE_MAX * deadlineMs));
        await listen({ http, grpc, config, ports, lifecycle, signal });
        logger.info({ ...ports }, 'listening');
        await discovery.join({ service: name, id: instance, version, host, ports });
      }),
    stopping: lifecycle.stopping,
    stop: () => lifecycle.stop('stop was called'),
  };
};

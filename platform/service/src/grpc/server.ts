import {
  Metadata,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  status as grpcStatus,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  trace,
} from '@opentelemetry/api';
import { attribute, metricDefinitions } from '@parley/contracts/telemetry';
import { correlationIdFrom, runInContext } from '../context.ts';
import { isLate, type LateRefusals } from '../deadline.ts';
import type { AnyErrorCatalog } from '../errors.ts';
import { grpcFault, InjectedStatus } from '../faults/grpc.ts';
import type { Fault } from '../faults/fault.ts';
import type { FaultInjector } from '../faults/injector.ts';
import type { Logger } from '../logging.ts';
import { durations, observeCount, secondsSince } from '../telemetry/instruments.ts';
import { tracer } from '../telemetry/telemetry.ts';
import { GrpcRefusal, toStatus } from './refusal.ts';
import { beforeStreams } from './streams.ts';

/** What an implementation may know about the call besides the request. */
export interface GrpcCall {
  /** Aborts when the caller cancels or its deadline passes. */
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly deadlineAtMs: number;
  /** Metadata that goes ahead of the response. */
  readonly respondWith: (key: string, value: string) => void;
}

/** The unary methods of a generated service definition, as functions of a request. */
export type GrpcImplementation<Definition> = {
  readonly [Name in keyof Definition]: Definition[Name] extends {
    requestDeserialize: (bytes: Buffer) => infer Request;
    responseDeserialize: (bytes: Buffer) => infer Response;
  }
    ? (request: Request, call: GrpcCall) => Promise<Response> | Response
    : never;
};

type UnaryFunction = (request: unknown, call: GrpcCall) => unknown;

const getter: TextMapGetter<Metadata> = {
  keys: (metadata) => Object.keys(metadata.getMap()),
  get: (metadata, key) => metadata.get(key).map(String),
};

/** `rpc.*` attributes of a path `/package.Service/Method`. */
export const rpcAttributes = (path: string): Record<string, string> => {
  const [, service = '', method = ''] = path.split('/');
  return { [attribute.rpcSystem]: 'grpc', [attribute.rpcService]: service, [attribute.rpcMethod]: method };
};

/** Labels of the duration of a call, by the server and by the client alike. `code` is a gRPC status. */
export const callLabels = (path: string, code: number): Record<string, string> => {
  const status = grpcStatus[code] ?? 'UNKNOWN';
  return {
    [attribute.rpcMethod]: path.slice(1),
    [attribute.rpcResponseStatus]: status,
    ...(status === 'OK' ? {} : { [attribute.errorType]: status }),
  };
};

const deadlineOf = (call: ServerUnaryCall<unknown, unknown>): number => {
  const deadline = call.getDeadline();
  return typeof deadline === 'number' ? deadline : deadline.getTime();
};

/** In place of a request whose bytes are not of its type. What they were is nobody's to read. */
const UNREADABLE = Symbol('unreadable');

/**
 * A service whose unreadable requests reach the handler as UNREADABLE. Left to grpc-js, one would be answered with
 * INTERNAL, which callers retry, without a code, span or line in the log, and with the decoder's words.
 */
const readable = (definition: ServiceDefinition): ServiceDefinition =>
  Object.fromEntries(
    Object.entries(definition).map(([name, method]) => {
      const requestDeserialize = (bytes: Buffer): unknown => {
        try {
          return method.requestDeserialize(bytes) as unknown;
        } catch {
          return UNREADABLE;
        }
      };
      return [name, { ...method, requestDeserialize }];
    }),
  );

/** Streams of one connection, by calls that may be under way: there is room to refuse the calls above. */
const STREAMS_PER_CALL = 2;

interface ServerContext {
  readonly catalog: AnyErrorCatalog;
  readonly logger: Logger;
  /** Calls worked on at the same time; above it they are refused as OVERLOADED. */
  readonly inFlightMax: number;
  /** In front of every method; throws a GrpcRefusal. */
  readonly guard: (metadata: Metadata) => Promise<void>;
  /** Counts what came too late to be worked on. */
  readonly late: LateRefusals;
  /** What goes wrong on purpose; undefined outside development. */
  readonly faults?: FaultInjector | undefined;
}

interface HandlerContext extends ServerContext {
  /** Throws a GrpcRefusal when there are too many calls. */
  readonly enter: () => void;
  readonly leave: () => void;
}

interface Invocation {
  readonly call: ServerUnaryCall<unknown, unknown>;
  readonly fn: UnaryFunction;
  readonly signal: AbortSignal;
  readonly guard: ServerContext['guard'];
  readonly late: LateRefusals;
}

const invoke = ({ call, fn, signal, guard, late }: Invocation): Promise<unknown> => {
  const deadlineAtMs = deadlineOf(call);
  if (!Number.isFinite(deadlineAtMs))
    throw new GrpcRefusal('MALFORMED_REQUEST', 'The call must carry a deadline.');
  if (call.request === UNREADABLE)
    throw new GrpcRefusal('MALFORMED_REQUEST', 'The message is not of the type of the request.');
  const correlationId = call.metadata.get('x-correlation-id')[0]?.toString();
  return runInContext({ correlationId, signal, deadlineAtMs }, async () => {
    if (isLate()) {
      late.grpc += 1;
      throw new GrpcRefusal('DEADLINE_EXCEEDED', 'The time of the call was over before work on it began.');
    }
    await guard(call.metadata);
    const ahead = new Metadata();
    const response = await fn(call.request, {
      signal,
      deadlineAtMs,
      respondWith: (key, value) => {
        ahead.set(key, value);
      },
    });
    call.sendMetadata(ahead);
    return response;
  });
};

/** A reset is made where there is a stream to cut. */
const isReset = (failure: Fault['failure']): boolean => failure === 'reset';
const notReset = (failure: Fault['failure']): boolean => !isReset(failure);

const answered = async (invocation: Invocation, leave: () => void): Promise<unknown> => {
  try {
    return await invoke(invocation);
  } finally {
    leave();
  }
};

const handlerOf =
  ({ catalog, logger, guard, late, faults, enter, leave }: HandlerContext, fn: UnaryFunction) =>
  (call: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<unknown>): void => {
    const startedAtMs = performance.now();
    const path = call.getPath();
    const remote = propagation.extract(ROOT_CONTEXT, call.metadata, getter);
    const span = tracer().startSpan(
      path.slice(1),
      { kind: SpanKind.SERVER, attributes: rpcAttributes(path) },
      remote,
    );
    const correlationId = correlationIdFrom(call.metadata.get('x-correlation-id')[0]?.toString());
    span.setAttribute(attribute.correlationId, correlationId);
    call.metadata.set('x-correlation-id', correlationId);
    const abort = new AbortController();
    call.on('cancelled', () => {
      abort.abort(new Error('the call was cancelled'));
    });
    const finish = (statusCode: number, code?: string): void => {
      span.setAttribute(attribute.rpcStatusCode, statusCode);
      if (code !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: code });
      span.end();
      durations().rpcServer.record(secondsSince(startedAtMs), callLabels(path, statusCode));
      const latencyMs = Math.round((performance.now() - startedAtMs) * 10) / 10;
      runInContext({ correlationId }, () => {
        logger.info({ rpc: path, status: statusCode, code, latencyMs, cancelled: call.cancelled }, 'call');
      });
    };
    void context.with(trace.setSpan(remote, span), async () => {
      try {
        await faults?.meet(path, notReset)?.then((befallen) => grpcFault(befallen, abort.signal));
        enter();
        const response = await answered({ call, fn, signal: abort.signal, guard, late }, leave);
        finish(0);
        callback(null, response);
      } catch (error) {
        if (!(error instanceof GrpcRefusal) && !(error instanceof InjectedStatus))
          logger.error({ err: error, correlationId }, 'a call failed unexpectedly');
        const refused = error instanceof InjectedStatus ? error.status : toStatus(error, catalog);
        finish(refused.code, refused.metadata.get('parley-code')[0]?.toString());
        callback(refused);
      }
    });
  };

/** A gRPC server whose calls have a span, a correlation id, a deadline and mapped errors. */
export class GrpcServer {
  readonly #server: Server;
  readonly #context: HandlerContext;
  #services = 0;
  #inFlight = 0;

  constructor(options: ServerContext) {
    this.#server = new Server({
      'grpc.keepalive_time_ms': 30_000,
      // Nobody asks for it, and it takes streams by another way than `beforeStreams`.
      'grpc.enable_channelz': 0,
      'grpc.max_receive_message_length': 64 * 1024,
      // Of one connection. A stream that sent no message yet is no call yet, and would not be counted as one.
      'grpc.max_concurrent_streams': STREAMS_PER_CALL * options.inFlightMax,
    });
    observeCount(metricDefinitions.rpcServerActive, () => this.#inFlight);
    const { faults } = options;
    const isCut = faults && (async (path: string) => (await faults.meet(path, isReset))?.kind === 'reset');
    beforeStreams(this.#server, isCut);
    this.#context = {
      ...options,
      enter: () => {
        if (this.#inFlight >= options.inFlightMax)
          throw new GrpcRefusal('OVERLOADED', `There are ${options.inFlightMax} calls under way.`);
        this.#inFlight += 1;
      },
      leave: () => {
        this.#inFlight -= 1;
      },
    };
  }

  /** True when there is something to serve. */
  get hasServices(): boolean {
    return this.#services > 0;
  }

  /** Mounts the unary methods of a generated service. A call without deadline is refused with MALFORMED_REQUEST. */
  add<Definition extends ServiceDefinition>(
    definition: Definition,
    implementation: GrpcImplementation<Definition>,
  ): void {
    const handlers: UntypedServiceImplementation = {};
    for (const name of Object.keys(definition)) {
      const fn = implementation[name as keyof Definition] as UnaryFunction; // keys of the definition by construction
      handlers[name] = handlerOf(this.#context, fn.bind(implementation));
    }
    this.#server.addService(readable(definition), handlers);
    this.#services += 1;
  }

  /** Listens; resolves with the port. Rejects when it is taken. */
  listen(port: number, host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(error);
      });
    });
  }

  /** Stops accepting, lets calls under way finish, cuts what is left at the deadline. True when nothing was cut. */
  drain(deadlineMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#server.forceShutdown();
        resolve(false);
      }, deadlineMs);
      this.#server.tryShutdown((error) => {
        clearTimeout(timer);
        resolve(error === undefined);
      });
    });
  }
}

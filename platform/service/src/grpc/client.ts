import { type Client, Metadata, type ServiceDefinition } from '@grpc/grpc-js';
import {
  context,
  propagation,
  SpanKind,
  SpanStatusCode,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api';
import { attribute } from '@parley/contracts/telemetry';
import { currentContext, remainingMs } from '../context.ts';
import { createBalancer, type Target } from '../discovery/balancer.ts';
import type { Resolve } from '../discovery/instance.ts';
import { type AnyErrorCatalog, messageOf } from '../errors.ts';
import type { Policy } from '../policy/policy.ts';
import { durations, secondsSince } from '../telemetry/instruments.ts';
import { tracer } from '../telemetry/telemetry.ts';
import { Channels } from './channels.ts';
import { type GrpcAnswer, GrpcFailure, isUnreachable, noInstance, refusalOf } from './refusal.ts';
import { callLabels, rpcAttributes } from './server.ts';

export interface GrpcCallOptions {
  /** Default: the client's. Never beyond the deadline of the request being worked on. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

/** The unary methods of a generated client, as functions that answer with an outcome and never throw for a refusal. */
export type GrpcClient<Definition> = {
  readonly [Name in keyof Definition]: Definition[Name] extends {
    requestDeserialize: (bytes: Buffer) => infer Request;
    responseDeserialize: (bytes: Buffer) => infer Response;
  }
    ? (request: Request, options?: GrpcCallOptions) => Promise<GrpcAnswer<Response>>
    : never;
} & { close(): void };

export interface GrpcClientOptions<Definition> {
  /** Name of the peer: what is resolved for every attempt, and what spans say. */
  readonly peer: string;
  readonly resolve: Resolve;
  /** Default deadline of one attempt. */
  readonly deadlineMs: number;
  readonly policy: Policy;
  /** The errors that the peer may name. */
  readonly errors: AnyErrorCatalog;
  /** Methods that may be called more than once for one thing, and so are retried. */
  readonly idempotent: readonly (keyof Definition & string)[];
}

type Method = ServiceDefinition[string];

const setter: TextMapSetter<Metadata> = {
  set: (metadata, key, value) => {
    metadata.set(key, value);
  },
};

interface Attempt {
  readonly method: Method;
  readonly request: unknown;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  readonly peer: string;
  readonly target: Target;
}

/** One attempt: one CLIENT span, one deadline. */
const attempt = (
  client: Client,
  { method, request, deadlineMs, signal, peer, target }: Attempt,
): Promise<unknown> => {
  const attributes = {
    ...rpcAttributes(method.path),
    [attribute.peerService]: peer,
    [attribute.serverAddress]: target.host,
    [attribute.serverPort]: target.port,
  };
  const span = tracer().startSpan(method.path.slice(1), { kind: SpanKind.CLIENT, attributes });
  const startedAtMs = performance.now();
  const metadata = new Metadata();
  metadata.set('x-correlation-id', currentContext().correlationId);
  propagation.inject(trace.setSpan(context.active(), span), metadata, setter);
  return new Promise((resolve, reject) => {
    const call = client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize as (bytes: Buffer) => unknown, // grpc-js types it as any
      request,
      metadata,
      { deadline: Date.now() + remainingMs(deadlineMs) },
      (error, response) => {
        signal.removeEventListener('abort', cancel);
        span.setAttribute(attribute.rpcStatusCode, error?.code ?? 0);
        if (error !== null) span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(error) });
        span.end();
        durations().rpcClient.record(secondsSince(startedAtMs), {
          ...callLabels(method.path, error?.code ?? 0),
          [attribute.peerService]: peer,
        });
        if (error === null) resolve(response);
        else reject(error);
      },
    );
    const cancel = (): void => {
      call.cancel();
    };
    signal.addEventListener('abort', cancel, { once: true });
  });
};

/**
 * A client of one peer. Every attempt goes to an instance of its own choice (the next in turn; a retry prefers another
 * one) and carries a deadline, the correlation id and the trace; the policy around it retries and breaks. The code that the
 * peer names decides by the catalog whether another attempt is worth it. Only idempotent methods are repeated.
 */
export const createGrpcClient = <Definition extends ServiceDefinition>(
  service: { readonly service: Definition },
  { peer, resolve, deadlineMs, policy, errors, idempotent }: GrpcClientOptions<Definition>,
): GrpcClient<Definition> => {
  const balancer = createBalancer({ service: peer, resolve, protocol: 'grpc' });
  const channels = new Channels();
  const repeatable: ReadonlySet<string> = new Set(idempotent);
  const attemptSomewhere = async (
    call: Omit<Attempt, 'peer' | 'target'>,
    tried: Set<Target>,
  ): Promise<GrpcAnswer<unknown>> => {
    const target = balancer.next(tried);
    channels.keepOnly(balancer.targets());
    if (target === undefined) throw noInstance(peer);
    tried.add(target);
    try {
      const value = await channels.use(target, (client) => attempt(client, { ...call, peer, target }));
      return { kind: 'ok', value };
    } catch (error) {
      if (isUnreachable(error)) balancer.eject(target);
      return refusalOf(error, errors);
    }
  };
  const callOf =
    (method: Method, isIdempotent: boolean) =>
    async (request: unknown, options: GrpcCallOptions = {}): Promise<GrpcAnswer<unknown>> => {
      const limitMs = options.deadlineMs ?? deadlineMs;
      const tried = new Set<Target>();
      try {
        return await policy.execute<GrpcAnswer<unknown>>(
          (signal) => attemptSomewhere({ method, request, deadlineMs: limitMs, signal }, tried),
          {
            signal: options.signal,
            idempotent: isIdempotent,
            fallback: (reason) => ({ kind: 'unavailable', reason }),
          },
        );
      } catch (error) {
        if (error instanceof GrpcFailure) return error.answer;
        throw error;
      }
    };
  const methods: Record<string, unknown> = {
    close: () => {
      channels.close();
    },
  };
  for (const [name, method] of Object.entries(service.service))
    methods[name] = callOf(method, repeatable.has(name));
  return methods as unknown as GrpcClient<Definition>; // built from the definition, method by method
};

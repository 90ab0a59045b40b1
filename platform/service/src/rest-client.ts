import {
  type Attributes,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { attribute } from '@parley/contracts/telemetry';
import { Agent, request as httpRequest, type Dispatcher } from 'undici';
import { currentContext, remainingMs } from './context.ts';
import { timeoutHeaders } from './deadline.ts';
import { createBalancer, type Target } from './discovery/balancer.ts';
import type { Resolve } from './discovery/instance.ts';
import { type AnyErrorCatalog, codeFrom, meaningOf, messageOf } from './errors.ts';
import { CallFailure, type FailureMeaning, type PolicyReason } from './policy/failure.ts';
import type { Policy } from './policy/policy.ts';
import { retryAfterMsFrom } from './retry-after.ts';
import { durations, secondsSince } from './telemetry/instruments.ts';
import { tracer } from './telemetry/telemetry.ts';

export interface RestRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below the base URL, with a leading slash; encoded by the caller. */
  readonly path: string;
  /** Low-cardinality name of the path, for spans: `/api/v1/payments/:orderId`. Default: the path. */
  readonly route?: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** True: repeating the request does no harm, so it is retried. Default: as HTTP says of the method, POST is not. */
  readonly idempotent?: boolean;
}

/** The outcome of one request. An expected refusal is a value. */
export type RestAnswer =
  /** 2xx. `body` is not validated yet. */
  | { readonly kind: 'ok'; readonly status: number; readonly body: unknown }
  /** The peer refused for good; `code` is of the peer's catalog, 'UNKNOWN' when it sent no problem. */
  | { readonly kind: 'problem'; readonly status: number; readonly code: string }
  /**
   * No answer in time, no connection, a refusal that the catalog calls retryable or that the peer failed with by itself,
   * after all attempts; or the policy ended the call. An answer that is too large was asked for once: another attempt is
   * worth it only when the peer has changed.
   */
  | {
      readonly kind: 'unavailable';
      readonly reason: PolicyReason | 'unreachable' | 'peer' | 'answer-too-large';
      readonly status?: number;
      readonly code?: string;
    };

export interface RestClient {
  request(request: RestRequest): Promise<RestAnswer>;
}

type NoAnswer = Exclude<RestAnswer, { kind: 'ok' }>;

/** What a span says of it. */
const codeIn = (answer: NoAnswer): string =>
  answer.kind === 'problem' ? answer.code : (answer.code ?? answer.reason);

class PeerFailure extends CallFailure {
  readonly answer: NoAnswer;

  constructor(
    answer: NoAnswer,
    meaning: FailureMeaning & { readonly retryAfterMs?: number | undefined; readonly cause?: unknown },
  ) {
    super(codeIn(answer), meaning);
    this.answer = answer;
  }
}

const codeOf = (body: unknown): string =>
  (typeof body === 'object' && body !== null && 'code' in body ? codeFrom(body.code) : undefined) ??
  'UNKNOWN';

/** No answer of ours is near it; more than that of a peer's words is not kept in memory. */
const ANSWER_BYTES_MAX = 1_048_576;

/** The body as text; undefined, and the rest of it not read, when it is longer than `bytesMax`. */
const textWithin = async (
  body: Dispatcher.ResponseData['body'],
  bytesMax: number,
): Promise<string | undefined> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Leaving the loop destroys the body, which ends the transfer.
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

const parse = (text: string): unknown => {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined; // not JSON: whatever it is, it is not an answer of ours
  }
};

const MAX_CLIENT_ERROR = 499;
const TOO_MANY_REQUESTS = 429;

/** What a status says of which the peer named no code that we know. */
const meaningOfStatus = (status: number): FailureMeaning => {
  const failed = status > MAX_CLIENT_ERROR || status === TOO_MANY_REQUESTS;
  return { retryable: failed, counts: failed };
};

type Answered = Pick<Dispatcher.ResponseData, 'statusCode' | 'headers'>;

const retryAfterMsOf = ({ 'retry-after': value }: Answered['headers']): number | undefined =>
  typeof value === 'string' ? retryAfterMsFrom(value) : undefined;

/** @param text undefined: it was too long. The same request would be answered as long again, so that is final. */
const classify = (
  { statusCode: status, headers }: Answered,
  text: string | undefined,
  catalog: AnyErrorCatalog,
): RestAnswer => {
  const body = text === undefined ? undefined : parse(text);
  const isOk = status >= 200 && status < 300;
  const code = codeOf(body);
  const meaning = isOk ? undefined : (meaningOf(catalog, code) ?? meaningOfStatus(status));
  if (meaning !== undefined && (meaning.retryable || meaning.counts)) {
    const retryAfterMs = retryAfterMsOf(headers);
    throw new PeerFailure(
      { kind: 'unavailable', reason: 'peer', status, code },
      { ...meaning, retryAfterMs },
    );
  }
  if (text === undefined) return { kind: 'unavailable', reason: 'answer-too-large', status };
  return isOk ? { kind: 'ok', status, body } : { kind: 'problem', status, code };
};

/** What ended an attempt without an answer: the connection, or its time. */
const withoutAnswer = (cause: unknown, reason: 'timeout' | 'unreachable'): PeerFailure =>
  new PeerFailure({ kind: 'unavailable', reason }, { retryable: true, counts: true, cause });

/**
 * Connections to peers, each kept for the next request and given up sooner than a peer does. Never through a proxy,
 * whatever the environment says.
 */
const connections = new Agent({ keepAliveTimeout: 30_000, keepAliveMaxTimeout: 60_000 });

/** A signal that is aborted with `parent`, or after so long; `end` when it is not needed any more. */
const limitOf = (
  parent: AbortSignal,
  timeoutMs: number,
): { readonly signal: AbortSignal; readonly end: () => void } => {
  const controller = new AbortController();
  const abort = (): void => {
    controller.abort(parent.reason);
  };
  parent.addEventListener('abort', abort, { once: true });
  const timer = setTimeout(() => {
    controller.abort(new Error(`no answer in ${String(timeoutMs)} ms`));
  }, timeoutMs);
  if (parent.aborted) abort();
  const end = (): void => {
    clearTimeout(timer);
    parent.removeEventListener('abort', abort);
  };
  return { signal: controller.signal, end };
};

/** What every request tells besides its own headers. */
const headersOf = (request: RestRequest, timeoutMs: number, span: Span): Record<string, string> => {
  const headers: Record<string, string> = {
    ...request.headers,
    'x-correlation-id': currentContext().correlationId,
    ...timeoutHeaders(timeoutMs),
  };
  if (request.body !== undefined) headers['content-type'] = 'application/json';
  propagation.inject(trace.setSpan(context.active(), span), headers);
  return headers;
};

const IDEMPOTENT_METHODS: ReadonlySet<string> = new Set(['GET', 'PUT', 'DELETE']);

const spanOf = (request: RestRequest, peer: string, { host, port }: Target): Span =>
  tracer().startSpan(`${request.method} ${request.route ?? request.path}`, {
    kind: SpanKind.CLIENT,
    attributes: {
      [attribute.httpMethod]: request.method,
      [attribute.peerService]: peer,
      [attribute.serverAddress]: host,
      [attribute.serverPort]: port,
    },
  });

/** A path may hold ids, each of which would make a series of its own: only the route is a label. */
const labelsOf = ({ method, route }: RestRequest, peer: string): Attributes => ({
  [attribute.httpMethod]: method,
  [attribute.peerService]: peer,
  ...(route === undefined ? {} : { [attribute.httpRoute]: route }),
});

/** The span and the duration of one attempt. */
const observed = (
  request: RestRequest,
  peer: string,
  target: Target,
): { readonly span: Span; readonly labels: Attributes; readonly end: () => void } => {
  const span = spanOf(request, peer, target);
  const labels = labelsOf(request, peer);
  const startedAtMs = performance.now();
  const end = (): void => {
    span.end();
    durations().httpClient.record(secondsSince(startedAtMs), labels);
  };
  return { span, labels, end };
};

const errorTypeOf = (error: unknown, aborted: boolean): string => {
  if (error instanceof PeerFailure) return codeIn(error.answer);
  return aborted ? 'timeout' : 'unreachable';
};

/**
 * A client of one REST peer. Every attempt goes to an instance of its own choice (the next in turn; a retry prefers
 * another one) and has a CLIENT span, trace context, correlation id and a timeout; the policy around it retries and
 * breaks. The code that the peer names decides by the catalog whether another attempt is worth it; the status does where it
 * names none. Only idempotent requests are repeated, as they are.
 */
export const createRestClient = (options: {
  /** Name of the peer: what is resolved for every attempt, and what spans say. */
  readonly peer: string;
  readonly resolve: Resolve;
  readonly policy: Policy;
  /** The errors that the peer may name. */
  readonly errors: AnyErrorCatalog;
  /** Bytes of an answer's body; a longer one is no answer. Default 1 MiB. */
  readonly answerBytesMax?: number;
}): RestClient => {
  const { peer, resolve, policy, errors, answerBytesMax = ANSWER_BYTES_MAX } = options;
  const balancer = createBalancer({ service: peer, resolve, protocol: 'http' });
  const attempt = async (
    request: RestRequest,
    target: Target,
    policySignal: AbortSignal,
  ): Promise<RestAnswer> => {
    const { span, labels, end } = observed(request, peer, target);
    const headers = headersOf(request, policy.timeoutMs, span);
    const timeoutMs = Math.ceil(remainingMs(policy.timeoutMs));
    const limit = limitOf(policySignal, timeoutMs);
    try {
      const response = await httpRequest(`http://${target.host}:${String(target.port)}${request.path}`, {
        dispatcher: connections,
        method: request.method,
        headers,
        signal: limit.signal,
        body: request.body === undefined ? null : JSON.stringify(request.body),
      });
      span.setAttribute(attribute.httpStatusCode, response.statusCode);
      labels[attribute.httpStatusCode] = response.statusCode;
      const answer = classify(response, await textWithin(response.body, answerBytesMax), errors);
      if (answer.kind !== 'ok') span.setStatus({ code: SpanStatusCode.ERROR, message: codeIn(answer) });
      return answer;
    } catch (error) {
      const message = error instanceof PeerFailure ? codeIn(error.answer) : messageOf(error);
      labels[attribute.errorType] = errorTypeOf(error, limit.signal.aborted);
      span.setStatus({ code: SpanStatusCode.ERROR, message });
      if (error instanceof PeerFailure) throw error;
      if (limit.signal.aborted) throw withoutAnswer(error, 'timeout');
      balancer.eject(target);
      throw withoutAnswer(error, 'unreachable');
    } finally {
      limit.end();
      end();
    }
  };
  return {
    request: async (request) => {
      const tried = new Set<Target>();
      const { signal, idempotent = IDEMPOTENT_METHODS.has(request.method) } = request;
      try {
        return await policy.execute<RestAnswer>(
          (attemptSignal) => {
            const target = balancer.next(tried);
            if (target === undefined)
              throw withoutAnswer(new Error(`no instance of ${peer} is known`), 'unreachable');
            tried.add(target);
            return attempt(request, target, attemptSignal);
          },
          { signal, idempotent, fallback: (reason) => ({ kind: 'unavailable', reason }) },
        );
      } catch (error) {
        if (error instanceof PeerFailure) return error.answer;
        throw error;
      }
    },
  };
};

import { context, propagation, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { currentContext, remainingMs } from './context.ts';
import { createBalancer, type Target } from './discovery/balancer.ts';
import type { Resolve } from './discovery/instance.ts';
import { codeFrom, messageOf } from './errors.ts';
import { PolicyError, type Policy, type PolicyReason } from './policy.ts';
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
}

/** The outcome of one request. An expected refusal is a value. */
export type RestAnswer =
  /** 2xx. `body` is not validated yet. */
  | { readonly kind: 'ok'; readonly status: number; readonly body: unknown }
  /** The peer refused for good; `code` is of the peer's catalog, 'UNKNOWN' when it sent no problem. */
  | { readonly kind: 'problem'; readonly status: number; readonly code: string }
  /**
   * Retryable: no answer in time, no connection, a 429/5xx answer after all attempts, or the breaker is open. An answer
   * that is too large was asked for once: another attempt is worth it only when the peer has changed.
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

class PeerFailure extends Error {
  readonly answer: NoAnswer;

  constructor(answer: NoAnswer, cause?: unknown) {
    super('the peer gave no final answer', { cause });
    this.answer = answer;
  }
}

const codeOf = (body: unknown): string =>
  (typeof body === 'object' && body !== null && 'code' in body ? codeFrom(body.code) : undefined) ??
  'UNKNOWN';

/** No answer of ours is near it; more than that of a peer's words is not kept in memory. */
const ANSWER_BYTES_MAX = 1_048_576;

/** The body as text; undefined, and the rest of it not read, when it is longer than `bytesMax`. */
const textWithin = async (response: Response, bytesMax: number): Promise<string | undefined> => {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop cancels the body, which ends the transfer.
  for await (const chunk of response.body ?? []) {
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

/** @param text undefined: it was too long. The same request would be answered as long again, so that is final. */
const classify = (status: number, text: string | undefined): RestAnswer => {
  const body = text === undefined ? undefined : parse(text);
  if (status > MAX_CLIENT_ERROR || status === TOO_MANY_REQUESTS) {
    throw new PeerFailure({ kind: 'unavailable', reason: 'peer', status, code: codeOf(body) });
  }
  if (text === undefined) return { kind: 'unavailable', reason: 'answer-too-large', status };
  if (status >= 200 && status < 300) return { kind: 'ok', status, body };
  return { kind: 'problem', status, code: codeOf(body) };
};

/** What ended an attempt without an answer: the connection, or its time. */
const withoutAnswer = (cause: unknown, reason: 'timeout' | 'unreachable'): PeerFailure =>
  new PeerFailure({ kind: 'unavailable', reason }, cause);

const spanOf = (request: RestRequest, peer: string, { host, port }: Target): Span =>
  tracer().startSpan(`${request.method} ${request.route ?? request.path}`, {
    kind: SpanKind.CLIENT,
    attributes: {
      'http.request.method': request.method,
      'peer.service': peer,
      'server.address': host,
      'server.port': port,
    },
  });

/**
 * A client of one REST peer. Every attempt goes to an instance of its own choice (the next in turn; a retry prefers
 * another one) and has a CLIENT span, trace context, correlation id and a timeout; the policy around it retries and
 * breaks. Retries repeat the request as it is, so the peer must be idempotent.
 */
export const createRestClient = (options: {
  /** Name of the peer: what is resolved for every attempt, and what spans say. */
  readonly peer: string;
  readonly resolve: Resolve;
  readonly policy: Policy;
  /** Bytes of an answer's body; a longer one is no answer. Default 1 MiB. */
  readonly answerBytesMax?: number;
}): RestClient => {
  const { peer, resolve, policy, answerBytesMax = ANSWER_BYTES_MAX } = options;
  const balancer = createBalancer({ service: peer, resolve, protocol: 'http' });
  const attempt = async (
    request: RestRequest,
    target: Target,
    policySignal: AbortSignal,
  ): Promise<RestAnswer> => {
    const span = spanOf(request, peer, target);
    const headers: Record<string, string> = {
      ...request.headers,
      'x-correlation-id': currentContext().correlationId,
    };
    if (request.body !== undefined) headers['content-type'] = 'application/json';
    propagation.inject(trace.setSpan(context.active(), span), headers);
    const timeoutMs = Math.ceil(remainingMs(policy.timeoutMs));
    const signal = AbortSignal.any([policySignal, AbortSignal.timeout(timeoutMs)]);
    try {
      const response = await fetch(new URL(request.path, `http://${target.host}:${target.port}`), {
        method: request.method,
        headers,
        signal,
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      });
      span.setAttribute('http.response.status_code', response.status);
      const answer = classify(response.status, await textWithin(response, answerBytesMax));
      if (answer.kind !== 'ok') span.setStatus({ code: SpanStatusCode.ERROR, message: codeIn(answer) });
      return answer;
    } catch (error) {
      const message = error instanceof PeerFailure ? codeIn(error.answer) : messageOf(error);
      span.setStatus({ code: SpanStatusCode.ERROR, message });
      if (error instanceof PeerFailure) throw error;
      if (signal.aborted) throw withoutAnswer(error, 'timeout');
      balancer.eject(target);
      throw withoutAnswer(error, 'unreachable');
    } finally {
      span.end();
    }
  };
  return {
    request: async (request) => {
      const tried = new Set<Target>();
      try {
        return await policy.execute((signal) => {
          const target = balancer.next(tried);
          if (target === undefined)
            throw withoutAnswer(new Error(`no instance of ${peer} is known`), 'unreachable');
          tried.add(target);
          return attempt(request, target, signal);
        }, request.signal);
      } catch (error) {
        if (error instanceof PeerFailure) return error.answer;
        if (error instanceof PolicyError) return { kind: 'unavailable', reason: error.reason };
        throw error;
      }
    },
  };
};

import { randomUUID } from 'node:crypto';
import { context, createContextKey, propagation, ROOT_CONTEXT } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';

/** What everything done on behalf of one request or message knows about it. */
export interface RequestContext {
  readonly correlationId: string;
  /** The subject of the verified token, when a gateway said so. Never logged. */
  readonly userId?: string | undefined;
  /** Aborts when the deadline of the request has passed. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds since the epoch; clients never wait beyond it. */
  readonly deadlineAtMs?: number | undefined;
}

const KEY = createContextKey('parley.request');
const WELL_FORMED = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());

/** Keeps a well-formed correlation id and replaces anything else by a fresh one. */
export const correlationIdFrom = (candidate: string | undefined): string =>
  candidate !== undefined && WELL_FORMED.test(candidate) ? candidate : randomUUID();

/** The context of the request or message being worked on, if there is one. */
export const requestContext = (): RequestContext | undefined =>
  context.active().getValue(KEY) as RequestContext | undefined; // the key is private to this file

/** As `requestContext`; outside of any request it is a fresh correlation id. */
export const currentContext = (): RequestContext => requestContext() ?? { correlationId: randomUUID() };

/**
 * Runs `fn` on behalf of a request or message. With `traceparent`, spans made inside continue that remote trace;
 * without it they continue the active one. A malformed correlation id is replaced.
 */
export const runInContext = <T>(
  values: {
    readonly correlationId?: string | undefined;
    readonly traceparent?: string | undefined;
    readonly userId?: string | undefined;
    readonly signal?: AbortSignal | undefined;
    readonly deadlineAtMs?: number | undefined;
  },
  fn: () => T,
): T => {
  const { traceparent, correlationId, ...rest } = values;
  const parent =
    traceparent === undefined ? context.active() : propagation.extract(ROOT_CONTEXT, { traceparent });
  const request: RequestContext = { ...rest, correlationId: correlationIdFrom(correlationId) };
  return context.with(parent.setValue(KEY, request), fn);
};

/** The W3C trace context of the active span, to be put into a message. */
export const currentTraceparent = (): string | undefined => {
  const carrier: { traceparent?: string } = {};
  propagation.inject(context.active(), carrier);
  return carrier.traceparent;
};

/** Milliseconds that are left of the current deadline, at most `limitMs`, at least 1. */
export const remainingMs = (limitMs: number): number => {
  const deadlineAtMs = requestContext()?.deadlineAtMs;
  return deadlineAtMs === undefined ? limitMs : Math.max(1, Math.min(limitMs, deadlineAtMs - Date.now()));
};

/** What an answer needs to reach the caller before the deadline of its request. */
const ANSWER_MARGIN_MS = 200;

/**
 * Milliseconds in which an answer must be made so that it comes before the deadline of the request: what is done for a
 * request has to nest in what the request has. 0 when it is too late; without a deadline there is no limit.
 */
export const answerWithinMs = (): number =>
  Math.max(0, remainingMs(Number.MAX_SAFE_INTEGER) - ANSWER_MARGIN_MS);

import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Tracer,
} from '@opentelemetry/api';
import { attribute } from '@parley/contracts/telemetry';
import { messagingMetrics, secondsSince } from './messaging-metrics.ts';
import type { Verdict } from './verdict.ts';

/**
 * How the span of a consumer hangs on the publisher's: as its child, or as a new trace that links to it. Either way it is
 * traced only if the publisher is, under a sampler that heeds its parent, as the default one does.
 */
export type AsyncHops = 'child' | 'link';

export interface ConsumerSpan {
  readonly tracer: Tracer;
  readonly name: string;
  readonly attributes: Attributes;
  /** Headers that may carry a W3C trace context. */
  readonly carrier: Readonly<Record<string, unknown>>;
  readonly hops: AsyncHops;
}

/** Of what a span says, that of which there are few values. */
const labelsOf = (attributes: Attributes): Attributes =>
  Object.fromEntries(
    [attribute.messagingSystem, attribute.messagingDestination, attribute.consumerGroup]
      .filter((name) => attributes[name] !== undefined)
      .map((name) => [name, attributes[name]]),
  );

/**
 * Works on one delivery in a CONSUMER span that continues, or links to, the trace of its publisher. The span is an error
 * when the work rejects or its verdict is anything but done; one that has to wait is no error. Its duration is recorded.
 */
export const inConsumerSpan = async (
  { tracer, name, attributes, carrier, hops }: ConsumerSpan,
  work: () => Promise<Verdict>,
): Promise<Verdict> => {
  const remote = propagation.extract(ROOT_CONTEXT, carrier);
  const publisher = trace.getSpanContext(remote);
  const untraced = publisher !== undefined && (publisher.traceFlags & TraceFlags.SAMPLED) === 0;
  const links = hops === 'link' && publisher !== undefined ? [{ context: publisher }] : [];
  const parent = hops === 'child' || untraced ? remote : ROOT_CONTEXT;
  const span = tracer.startSpan(name, { kind: SpanKind.CONSUMER, attributes, links }, parent);
  const startedAtMs = performance.now();
  const labels = labelsOf(attributes);
  const fail = (message: string): void => {
    span.setStatus({ code: SpanStatusCode.ERROR, message });
  };
  try {
    const verdict = await context.with(trace.setSpan(parent, span), work);
    span.setAttribute(attribute.verdict, verdict.kind);
    labels[attribute.verdict] = verdict.kind;
    if (verdict.kind === 'try-again') fail(verdict.error.message);
    if (verdict.kind === 'dead-letter') fail(verdict.reason);
    return verdict;
  } catch (error) {
    labels[attribute.errorType] = error instanceof Error ? error.name : 'failed';
    fail(error instanceof Error ? error.message : String(error));
    throw error;
  } finally {
    span.end();
    messagingMetrics().process.record(secondsSince(startedAtMs), labels);
  }
};

import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Tracer,
} from '@opentelemetry/api';
import type { Verdict } from './verdict.ts';

/** How the span of a consumer hangs on the publisher's: as its child, or as a new trace that links to it. */
export type AsyncHops = 'child' | 'link';

export interface ConsumerSpan {
  readonly tracer: Tracer;
  readonly name: string;
  readonly attributes: Attributes;
  /** Headers that may carry a W3C trace context. */
  readonly carrier: Readonly<Record<string, unknown>>;
  readonly hops: AsyncHops;
}

/**
 * Works on one delivery in a CONSUMER span that continues, or links to, the trace of its publisher. The span is an error
 * when the work rejects or its verdict is anything but done; one that has to wait is no error.
 */
export const inConsumerSpan = async (
  { tracer, name, attributes, carrier, hops }: ConsumerSpan,
  work: () => Promise<Verdict>,
): Promise<Verdict> => {
  const remote = propagation.extract(ROOT_CONTEXT, carrier);
  const publisher = trace.getSpanContext(remote);
  const links = hops === 'link' && publisher !== undefined ? [{ context: publisher }] : [];
  const parent = hops === 'child' ? remote : ROOT_CONTEXT;
  const span = tracer.startSpan(name, { kind: SpanKind.CONSUMER, attributes, links }, parent);
  const fail = (message: string): void => {
    span.setStatus({ code: SpanStatusCode.ERROR, message });
  };
  try {
    const verdict = await context.with(trace.setSpan(parent, span), work);
    span.setAttribute('parley.verdict', verdict.kind);
    if (verdict.kind === 'try-again') fail(verdict.error.message);
    if (verdict.kind === 'dead-letter') fail(verdict.reason);
    return verdict;
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
    throw error;
  } finally {
    span.end();
  }
};

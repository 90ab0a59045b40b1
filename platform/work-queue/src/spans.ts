import {
  type Attributes,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import { attribute, messagingSystems } from '@parley/contracts/telemetry';
import {
  inConsumerSpan,
  messagingMetrics,
  secondsSince,
  type AsyncHops,
  type Verdict,
} from '@parley/delivery';
import type { IncomingMessage, OutgoingMessage, QueueDefinition } from './ports.ts';

const tracer = (): Tracer => trace.getTracer('@parley/work-queue');

const attributesOf = (
  operation: 'publish' | 'process',
  definition: QueueDefinition,
  message: { readonly messageId: string; readonly body: Buffer },
): Record<string, string | number> => ({
  [attribute.messagingSystem]: messagingSystems.rabbitmq,
  [attribute.messagingOperation]: operation,
  [attribute.messagingDestination]: definition.queue,
  [attribute.messagingMessageId]: message.messageId,
  [attribute.messagingBodySize]: message.body.length,
});

const publishing = async <T>(span: Span, queue: string, fn: () => Promise<T>): Promise<T> => {
  const startedAtMs = performance.now();
  const labels: Attributes = {
    [attribute.messagingSystem]: messagingSystems.rabbitmq,
    [attribute.messagingDestination]: queue,
  };
  try {
    return await context.with(trace.setSpan(context.active(), span), fn);
  } catch (error) {
    labels[attribute.errorType] = error instanceof Error ? error.name : 'failed';
    span.setStatus({
      code: SpanStatusCode.ERROR,
      message: error instanceof Error ? error.message : String(error),
    });
    throw error;
  } finally {
    span.end();
    messagingMetrics().publish.record(secondsSince(startedAtMs), labels);
  }
};

/** Runs a publish in a PRODUCER span; `fn` gets the headers that carry the trace. */
export const producing = <T>(
  definition: QueueDefinition,
  message: OutgoingMessage,
  fn: (headers: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> => {
  const span = tracer().startSpan(`publish ${definition.queue}`, {
    kind: SpanKind.PRODUCER,
    attributes: attributesOf('publish', definition, message),
  });
  return publishing(span, definition.queue, () => {
    const headers: Record<string, string> = { ...message.headers };
    propagation.inject(context.active(), headers);
    return fn(headers);
  });
};

/** Runs a handler in a CONSUMER span that continues, or links to, the trace in the message's headers. */
export const consuming = (
  definition: QueueDefinition,
  message: IncomingMessage,
  options: { readonly hops: AsyncHops; readonly fn: () => Promise<Verdict> },
): Promise<Verdict> => {
  const attributes = {
    ...attributesOf('process', definition, message),
    [attribute.messagingAttempt]: message.attempt,
  };
  const name = `process ${definition.queue}`;
  const { hops, fn } = options;
  return inConsumerSpan({ tracer: tracer(), name, attributes, carrier: message.headers, hops }, fn);
};

import {
  type Context,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import { inConsumerSpan, type AsyncHops, type Verdict } from '@parley/delivery';
import type { IncomingMessage, OutgoingMessage, QueueDefinition } from './ports.ts';

const tracer = (): Tracer => trace.getTracer('@parley/work-queue');

const attributesOf = (
  operation: 'publish' | 'process',
  definition: QueueDefinition,
  message: { readonly messageId: string; readonly body: Buffer },
): Record<string, string | number> => ({
  'messaging.system': 'rabbitmq',
  'messaging.operation.type': operation,
  'messaging.destination.name': definition.queue,
  'messaging.message.id': message.messageId,
  'messaging.message.body.size': message.body.length,
});

const within = async <T>(span: Span, active: Context, fn: () => Promise<T>): Promise<T> => {
  try {
    return await context.with(trace.setSpan(active, span), fn);
  } catch (error) {
    span.setStatus({
      code: SpanStatusCode.ERROR,
      message: error instanceof Error ? error.message : String(error),
    });
    throw error;
  } finally {
    span.end();
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
  return within(span, context.active(), () => {
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
    'messaging.attempt': message.attempt,
  };
  const name = `process ${definition.queue}`;
  const { hops, fn } = options;
  return inConsumerSpan({ tracer: tracer(), name, attributes, carrier: message.headers, hops }, fn);
};

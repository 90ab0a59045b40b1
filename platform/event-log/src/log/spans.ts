/** Hand-made spans at the broker: one per command and one per handled event, none per record in a replay. */
import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import type { CommandOutcome, DomainEvent, RecordedEvent } from '../ports.ts';

/** Asked for at each use: telemetry may be registered after this module was loaded. */
const tracer = (): Tracer => trace.getTracer('@parley/event-log');

/** How spans behind the broker hang together: as children of the publisher's span, or linked to it. */
export type AsyncHops = 'child' | 'link';

/** Runs an append inside a PRODUCER span `publish <topic>`, from the call until its fate is known. */
export function tracedAppend<S>(
  topic: string,
  run: () => Promise<CommandOutcome<S, unknown>>,
): Promise<CommandOutcome<S, unknown>> {
  const attributes = { 'messaging.system': 'kafka', 'messaging.destination.name': topic };
  return tracer().startActiveSpan(
    `publish ${topic}`,
    { kind: SpanKind.PRODUCER, attributes },
    async (span) => {
      try {
        const outcome = await run();
        span.setAttribute('parley.outcome', outcome.kind);
        if ('position' in outcome) {
          span.setAttribute('messaging.kafka.partition', outcome.position.partition);
          span.setAttribute('messaging.kafka.offset', outcome.position.offset);
        }
        if (outcome.kind === 'unknown' || outcome.kind === 'unavailable') {
          span.setStatus({ code: SpanStatusCode.ERROR, message: outcome.kind });
        }
        return outcome;
      } finally {
        span.end();
      }
    },
  );
}

/** Runs the handling of one event inside a CONSUMER span `process <topic>`. */
export function tracedHandle<E extends DomainEvent>(
  event: RecordedEvent<E>,
  group: string,
  hops: AsyncHops,
  run: () => Promise<void>,
): Promise<void> {
  const { topic, partition, offset } = event.position;
  const remote = propagation.extract(
    ROOT_CONTEXT,
    event.traceparent === undefined ? {} : { traceparent: event.traceparent },
  );
  const publisher = trace.getSpanContext(remote);
  const options = {
    kind: SpanKind.CONSUMER,
    attributes: {
      'messaging.system': 'kafka',
      'messaging.destination.name': topic,
      'messaging.kafka.partition': partition,
      'messaging.kafka.offset': offset,
      'messaging.consumer.group.name': group,
      'parley.event.type': event.event.type,
    },
    ...(hops === 'link' && publisher !== undefined ? { links: [{ context: publisher }] } : {}),
  };
  const parent = hops === 'child' ? remote : ROOT_CONTEXT;
  const span = tracer().startSpan(`process ${topic}`, options, parent);
  return context.with(trace.setSpan(parent, span), async () => {
    try {
      await run();
    } catch (error) {
      span.setStatus({
        code: SpanStatusCode.ERROR,
        message: error instanceof Error ? error.message : 'failed',
      });
      throw error;
    } finally {
      span.end();
    }
  });
}

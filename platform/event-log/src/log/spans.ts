/** Hand-made spans at the broker: one per command and one per handled event, none per record in a replay. */
import { context, SpanKind, SpanStatusCode, trace, type Context, type Tracer } from '@opentelemetry/api';
import { attribute, messagingSystems } from '@parley/contracts/telemetry';
import {
  inConsumerSpan,
  messagingMetrics,
  secondsSince,
  type AsyncHops,
  type Verdict,
} from '@parley/delivery';
import type { CommandOutcome, DomainEvent, RecordedEvent } from '../ports.ts';

/** Asked for at each use: telemetry may be registered after this module was loaded. */
const tracer = (): Tracer => trace.getTracer('@parley/event-log');

/** The span of one command. */
export interface AppendSpan {
  /** What the command's records carry on. */
  readonly context: Context;
  readonly end: (
    concluded: { readonly outcome: CommandOutcome<unknown, unknown> } | { readonly error: Error },
  ) => void;
}

/** Starts a PRODUCER span `publish <topic>`, which lasts until the fate of the command is known. */
export function startAppend(topic: string): AppendSpan {
  const attributes = {
    [attribute.messagingSystem]: messagingSystems.kafka,
    [attribute.messagingDestination]: topic,
  };
  const span = tracer().startSpan(`publish ${topic}`, { kind: SpanKind.PRODUCER, attributes });
  const startedAtMs = performance.now();
  const end: AppendSpan['end'] = (concluded) => {
    const how =
      'error' in concluded
        ? { [attribute.errorType]: concluded.error.name }
        : { [attribute.outcome]: concluded.outcome.kind };
    messagingMetrics().publish.record(secondsSince(startedAtMs), { ...attributes, ...how });
    if ('error' in concluded) {
      span.recordException(concluded.error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: concluded.error.message });
    } else if (span.isRecording()) {
      const { outcome } = concluded;
      span.setAttribute(attribute.outcome, outcome.kind);
      if ('position' in outcome) {
        span.setAttribute(attribute.kafkaPartition, outcome.position.partition);
        span.setAttribute(attribute.kafkaOffset, outcome.position.offset);
      }
      if (outcome.kind === 'unknown' || outcome.kind === 'unavailable') {
        span.setStatus({ code: SpanStatusCode.ERROR, message: outcome.kind });
      }
    }
    span.end();
  };
  return { context: trace.setSpan(context.active(), span), end };
}

/** Runs the handling of one event inside a CONSUMER span `process <topic>`. */
export function tracedHandle<E extends DomainEvent>(
  event: RecordedEvent<E>,
  group: string,
  hops: AsyncHops,
  run: () => Promise<Verdict>,
): Promise<Verdict> {
  const { topic, partition, offset } = event.position;
  return inConsumerSpan(
    {
      tracer: tracer(),
      name: `process ${topic}`,
      attributes: {
        [attribute.messagingSystem]: messagingSystems.kafka,
        [attribute.messagingDestination]: topic,
        [attribute.kafkaPartition]: partition,
        [attribute.kafkaOffset]: offset,
        [attribute.consumerGroup]: group,
        [attribute.eventType]: event.event.type,
      },
      carrier: event.traceparent === undefined ? {} : { traceparent: event.traceparent },
      hops,
    },
    run,
  );
}

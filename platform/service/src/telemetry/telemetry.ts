import { trace, type Tracer } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  NoopSpanProcessor,
  TracerProvider,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import type { Logger } from '../logging.ts';
import { ZipkinExporter } from './zipkin-exporter.ts';

const MAX_QUEUED_SPANS = 4_096;
const EXPORT_EVERY_MS = 500;
const REPORT_FAILURES_EVERY_MS = 60_000;

/** The spans of one process. */
export interface Telemetry {
  /** Spans that could not be exported since start. */
  lostSpans(): number;
  /** Exports what is queued, within the deadline, and stops. Never rejects. */
  stop(deadlineMs: number): Promise<void>;
}

/** The tracer that the kit's own spans come from; resolved late, so that it follows the registered provider. */
export const tracer = (): Tracer => trace.getTracer('@parley/service');

/**
 * Makes spans real in this process. Without a Zipkin URL they are still made and propagated, as downstream processes
 * hang theirs on them. A failing export is counted and logged once a minute; the queue is bounded and drops.
 */
export const startTelemetry = (options: {
  readonly service: string;
  readonly instance: string;
  readonly zipkinUrl: string | undefined;
  readonly logger: Logger;
  /** Instead of the Zipkin export; for tests. */
  readonly processors?: readonly SpanProcessor[];
}): Telemetry => {
  let lost = 0;
  let reportedAtMs = Number.NEGATIVE_INFINITY;
  const onFailure = (error: Error, spans: number): void => {
    lost += spans;
    if (performance.now() - reportedAtMs < REPORT_FAILURES_EVERY_MS) return;
    reportedAtMs = performance.now();
    options.logger.warn({ lostSpans: lost, reason: error.message }, 'spans cannot be exported');
  };
  // An empty list of processors would make every id zero and propagate nothing.
  const processors =
    options.processors ??
    (options.zipkinUrl === undefined
      ? [new NoopSpanProcessor()]
      : [
          new BatchSpanProcessor({
            exporter: new ZipkinExporter(options.zipkinUrl, onFailure),
            scheduledDelayMillis: EXPORT_EVERY_MS,
            maxQueueSize: MAX_QUEUED_SPANS,
          }),
        ]);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': options.service,
      'service.instance.id': options.instance,
    }),
    spanProcessors: [...processors],
  });
  trace.disable();
  trace.setGlobalTracerProvider(provider);
  return {
    lostSpans: () => lost,
    stop: async (deadlineMs) => {
      const deadline = Promise.withResolvers<undefined>();
      const timer = setTimeout(deadline.resolve, deadlineMs, undefined);
      await Promise.race([provider.shutdown().catch(() => undefined), deadline.promise]);
      clearTimeout(timer);
    },
  };
};

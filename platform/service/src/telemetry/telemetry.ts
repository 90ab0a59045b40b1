import { metrics, trace, type Tracer } from '@opentelemetry/api';
import { setGlobalErrorHandler } from '@opentelemetry/core';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import {
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from '@opentelemetry/resources';
import { type MetricReader, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import {
  BatchSpanProcessor,
  NoopSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import { attribute, metricDefinitions } from '@parley/contracts/telemetry';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging.ts';
import { meter } from './instruments.ts';
import { otelTargets } from './otel-environment.ts';
import { RateLimitingSampler, type TraceBudget } from './rate-limiting-sampler.ts';
import { observeRuntime } from './runtime.ts';
import { ScrapeReader } from './scrape-reader.ts';
import { ZipkinExporter } from './zipkin-exporter.ts';

const MAX_QUEUED_SPANS = 4_096;
const EXPORT_EVERY_MS = 500;
const REPORT_FAILURES_EVERY_MS = 60_000;
/** Of the traces that this process begins itself; a caller's decision is followed. Zipkin keeps a burst of orders whole. */
const TRACES: TraceBudget = { perSecond: 25, burst: 1_000 };

/** The spans and metrics of one process. */
export interface Telemetry {
  /** Spans that Zipkin did not take since start. */
  lostSpans(): number;
  /** Every metric as it is now, in Prometheus' text format. */
  scrape(): Promise<string>;
  /** Exports what is queued, within the deadline, and stops. Never rejects. */
  stop(deadlineMs: number): Promise<void>;
}

/** The tracer that the kit's own spans come from; resolved late, so that it follows the registered provider. */
export const tracer = (): Tracer => trace.getTracer('@parley/service');

export interface TelemetryOptions {
  readonly service: string;
  readonly instance: string;
  readonly zipkinUrl: string | undefined;
  readonly logger: Logger;
  /** Instead of any export of spans; for tests. */
  readonly processors?: readonly SpanProcessor[];
}

/** Logs why signals are not exported, once a minute at most. */
const failureReport = (logger: Logger): ((error: Error, lostSpans: number) => void) => {
  let reportedAtMs = Number.NEGATIVE_INFINITY;
  return (error, lostSpans) => {
    if (performance.now() - reportedAtMs < REPORT_FAILURES_EVERY_MS) return;
    reportedAtMs = performance.now();
    logger.warn({ lostSpans, reason: error.message }, 'signals cannot be exported');
  };
};

/** A list of processors that is empty would make every id zero and propagate nothing. */
const nowhere = (): SpanProcessor[] => [new NoopSpanProcessor()];

const toZipkin = (url: string, onFailure: (error: Error, spans: number) => void): SpanProcessor[] => [
  new BatchSpanProcessor({
    exporter: new ZipkinExporter(url, onFailure),
    scheduledDelayMillis: EXPORT_EVERY_MS,
    maxQueueSize: MAX_QUEUED_SPANS,
  }),
];

/** Undefined when the standard environment names a sampler. */
const rateLimitingSampler = (): Sampler | undefined =>
  (process.env.OTEL_TRACES_SAMPLER ?? '') === ''
    ? new ParentBasedSampler({ root: new RateLimitingSampler(TRACES) })
    : undefined;

/** Metrics and spans of an earlier service of this process, in tests, are no longer made. */
const forgetEarlier = (): void => {
  for (const api of [trace, metrics]) api.disable();
};

/**
 * Starts OpenTelemetry in this process. Spans go to OTLP when the standard OTEL_* environment says so, and to Zipkin
 * otherwise; without either they are still made and propagated, as downstream processes hang theirs on them. Metrics
 * are scraped (`scrape`), and pushed by OTLP too when there is an endpoint; OTEL_METRICS_EXPORTER=none makes none. A
 * failing export is logged once a minute; the queue is bounded and drops. The name and attributes of the resource that
 * the environment has go before the service's own. Trace context is W3C's, as contracts say, whatever OTEL_PROPAGATORS
 * says.
 */
export const startTelemetry = (options: TelemetryOptions): Telemetry => {
  let lost = 0;
  const report = failureReport(options.logger);
  const onFailure = (error: Error, spans: number): void => {
    lost += spans;
    report(error, lost);
  };
  const targets = otelTargets();
  const local = options.zipkinUrl === undefined ? nowhere() : toZipkin(options.zipkinUrl, onFailure);
  const processors = options.processors ?? { otlp: undefined, none: nowhere(), local }[targets.traces];
  const scraped = new ScrapeReader();
  const readers: Record<typeof targets.metrics, () => MetricReader[]> = {
    otlp: () => [scraped, new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter() })],
    local: () => [scraped],
    none: () => [], // nothing is recorded then
  };
  forgetEarlier();
  setGlobalErrorHandler((error) => {
    report(error instanceof Error ? error : new Error(messageOf(error)), lost);
  });
  const sampler = rateLimitingSampler();
  const sdk = new NodeSDK({
    ...(sampler === undefined ? {} : { sampler }),
    // Merged over `resource`, the last one over those before it.
    resourceDetectors: [resourceAttributesEnvDetector, serviceNameEnvDetector],
    resource: resourceFromAttributes({
      [attribute.serviceName]: options.service,
      [attribute.serviceInstanceId]: options.instance,
    }),
    // context.ts has registered context manager and propagator: the request context needs them without an SDK, too.
    textMapPropagator: null,
    metricReaders: readers[targets.metrics](),
    logRecordProcessors: [], // log lines go to stdout
    ...(processors === undefined ? {} : { spanProcessors: [...processors] }),
  });
  sdk.start();
  const endRuntime = observeRuntime();
  const { lostSpans } = metricDefinitions;
  meter()
    .createObservableCounter(lostSpans.name, lostSpans)
    .addCallback((result) => {
      result.observe(lost);
    });
  return {
    lostSpans: () => lost,
    scrape: () => scraped.text(),
    stop: async (deadlineMs) => {
      const deadline = Promise.withResolvers<undefined>();
      const timer = setTimeout(deadline.resolve, deadlineMs, undefined);
      endRuntime();
      await Promise.race([sdk.shutdown().catch(() => undefined), deadline.promise]);
      clearTimeout(timer);
    },
  };
};

import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';

/** Keeps the spans of a service under test: pass `processor` as `spanProcessors: [processor]`. */
export const captureSpans = (): {
  readonly processor: SpanProcessor;
  finished(): readonly ReadableSpan[];
  reset(): void;
} => {
  const exporter = new InMemorySpanExporter();
  return {
    processor: new SimpleSpanProcessor({ exporter }),
    finished: () => exporter.getFinishedSpans(),
    reset: () => {
      exporter.reset();
    },
  };
};

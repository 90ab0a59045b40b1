import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import { createService, type Service, type ServiceOptions } from '../src/service.ts';

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

/**
 * A service for tests, in the process of the test: on loopback ports that the machine chooses, silent unless it is given
 * somewhere to log to. Whoever runs it stops it; it cuts requests under way after `shutdownDeadlineMs` (default 200).
 */
export const testService = <const Code extends string>({
  shutdownDeadlineMs = 200,
  faults = false,
  ...options
}: Omit<ServiceOptions<Code>, 'config' | 'ownsProcess'> & {
  readonly shutdownDeadlineMs?: number;
  /** True: `PUT /ops/faults` is there. */
  readonly faults?: boolean;
}): Service<Code> =>
  createService({
    ...options,
    config: {
      PARLEY_HOST: '127.0.0.1',
      HTTP_PORT: 0,
      OPS_PORT: 0,
      LOG_LEVEL: options.logDestination === undefined ? 'silent' : 'info',
      SHUTDOWN_DEADLINE_MS: shutdownDeadlineMs,
      PARLEY_FAULTS: faults ? 'on' : 'off',
    },
    ownsProcess: false,
  });

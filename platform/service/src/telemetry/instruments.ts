import { type Counter, type Histogram, type Meter, type MeterProvider, metrics } from '@opentelemetry/api';
import { metricDefinitions } from '@parley/contracts/telemetry';

/** The meter of the kit's own metrics; it follows the registered provider, so ask for it after `startTelemetry`. */
export const meter = (): Meter => metrics.getMeter('@parley/service');

/** Durations of what crosses the border of a process, in seconds. */
export interface DurationHistograms {
  readonly httpServer: Histogram;
  readonly httpClient: Histogram;
  readonly rpcServer: Histogram;
  readonly rpcClient: Histogram;
}

const histogramsOf = (from: Meter): DurationHistograms => {
  const { httpServerDuration, httpClientDuration, rpcServerDuration, rpcClientDuration } = metricDefinitions;
  return {
    httpServer: from.createHistogram(httpServerDuration.name, httpServerDuration),
    httpClient: from.createHistogram(httpClientDuration.name, httpClientDuration),
    rpcServer: from.createHistogram(rpcServerDuration.name, rpcServerDuration),
    rpcClient: from.createHistogram(rpcClientDuration.name, rpcClientDuration),
  };
};

let made: { readonly provider: MeterProvider; readonly histograms: DurationHistograms } | undefined;

/** Made once for each registered provider: a client may be built before telemetry starts. */
export const durations = (): DurationHistograms => {
  const provider = metrics.getMeterProvider();
  if (made?.provider !== provider) made = { provider, histograms: histogramsOf(meter()) };
  return made.histograms;
};

/** What an instrument is made from: an entry of `metricDefinitions`. */
interface Definition {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  readonly advice?: { explicitBucketBoundaries: number[] };
}

/** A counter of a service's own; ask for it after `createService`. */
export const counterOf = (metric: Definition): Counter => meter().createCounter(metric.name, metric);

/** A histogram of a service's own; ask for it after `createService`. */
export const histogramOf = (metric: Definition): Histogram => meter().createHistogram(metric.name, metric);

/** Seconds since a reading of `performance.now()`. */
export const secondsSince = (startedAtMs: number): number => (performance.now() - startedAtMs) / 1_000;

/** Observes a number whenever it is asked for; for requests, rows and whatever else has a present count. */
export const observeCount = (metric: Definition, count: () => number): void => {
  meter()
    .createObservableGauge(metric.name, metric)
    .addCallback((result) => {
      result.observe(count());
    });
};

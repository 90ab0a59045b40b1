import { type Histogram, type MeterProvider, metrics } from '@opentelemetry/api';
import { metricDefinitions } from '@parley/contracts/telemetry';

/** How long publishing and handling take, in seconds, on both brokers. */
export interface MessagingDurations {
  readonly publish: Histogram;
  readonly process: Histogram;
}

let made: { readonly provider: MeterProvider; readonly durations: MessagingDurations } | undefined;

const durationsOf = (provider: MeterProvider): MessagingDurations => {
  const meter = provider.getMeter('@parley/delivery');
  const { publishDuration, processDuration } = metricDefinitions;
  return {
    publish: meter.createHistogram(publishDuration.name, publishDuration),
    process: meter.createHistogram(processDuration.name, processDuration),
  };
};

/** Made once for each registered provider: telemetry may start after this module was loaded. */
export const messagingDurations = (): MessagingDurations => {
  const provider = metrics.getMeterProvider();
  if (made?.provider !== provider) made = { provider, durations: durationsOf(provider) };
  return made.durations;
};

/** Seconds since a reading of `performance.now()`. */
export const secondsSince = (startedAtMs: number): number => (performance.now() - startedAtMs) / 1_000;

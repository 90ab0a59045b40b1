import { type Counter, type Histogram, type MeterProvider, metrics } from '@opentelemetry/api';
import { metricDefinitions } from '@parley/contracts/telemetry';

/** How long publishing and handling take, in seconds, and what was given up. */
export interface MessagingMetrics {
  readonly publish: Histogram;
  readonly process: Histogram;
  /** Messages that have become dead letters. */
  readonly deadLetters: Counter;
}

let made: { readonly provider: MeterProvider; readonly durations: MessagingMetrics } | undefined;

const durationsOf = (provider: MeterProvider): MessagingMetrics => {
  const meter = provider.getMeter('@parley/delivery');
  const { publishDuration, processDuration, deadLetters } = metricDefinitions;
  return {
    publish: meter.createHistogram(publishDuration.name, publishDuration),
    process: meter.createHistogram(processDuration.name, processDuration),
    deadLetters: meter.createCounter(deadLetters.name, deadLetters),
  };
};

/** Made once for each registered provider: telemetry may start after this module was loaded. */
export const messagingMetrics = (): MessagingMetrics => {
  const provider = metrics.getMeterProvider();
  if (made?.provider !== provider) made = { provider, durations: durationsOf(provider) };
  return made.durations;
};

/** Seconds since a reading of `performance.now()`. */
export const secondsSince = (startedAtMs: number): number => (performance.now() - startedAtMs) / 1_000;

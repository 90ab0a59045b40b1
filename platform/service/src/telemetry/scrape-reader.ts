import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { type MetricData, MetricReader } from '@opentelemetry/sdk-metrics';
import { prometheusName } from '@parley/contracts/telemetry';

/** Series of one metric; what comes beyond it is counted in one series of its own (`otel_metric_overflow`). */
const SERIES_MAX = 300;

const withUnit = (metric: MetricData): MetricData => {
  const { name, unit } = metric.descriptor;
  // The serializer adds `_total` to a counter by itself.
  return {
    ...metric,
    descriptor: { ...metric.descriptor, name: prometheusName({ name, unit, kind: 'gauge' }) },
  };
};

/** Metrics as Prometheus scrapes them, on a port that exists already. */
export class ScrapeReader extends MetricReader {
  #bound = false;
  readonly #serializer = new PrometheusSerializer(undefined, false, undefined, false, true);

  constructor() {
    super({ cardinalitySelector: () => SERIES_MAX });
  }

  /** Everything as it is now, in Prometheus' text format 0.0.4; nothing when OTEL_SDK_DISABLED says so. */
  async text(): Promise<string> {
    if (!this.#bound) return '';
    const { resourceMetrics } = await this.collect();
    const scopeMetrics = resourceMetrics.scopeMetrics.map(({ scope, metrics }) => ({
      scope,
      metrics: metrics.map(withUnit),
    }));
    return this.#serializer.serialize({ ...resourceMetrics, scopeMetrics });
  }

  protected override onInitialized(): void {
    this.#bound = true;
  }

  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }

  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

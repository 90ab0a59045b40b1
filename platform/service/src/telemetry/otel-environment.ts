type Environment = Readonly<Record<string, string | undefined>>;

/** `local`: what Parley does by itself: spans to Zipkin, metrics on the operations port. */
export interface OtelTargets {
  readonly traces: 'otlp' | 'none' | 'local';
  readonly metrics: 'otlp' | 'none' | 'local';
}

/**
 * What the standard environment asks for (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/):
 * an endpoint turns OTLP on, `none` turns a signal's export off, and OTEL_TRACES_EXPORTER=otlp works without an
 * endpoint, which is then the specification's. Protocol, headers, sampler and limits are read by the SDK itself.
 */
export const otelTargets = (env: Environment = process.env): OtelTargets => {
  const of = (signal: 'TRACES' | 'METRICS'): 'otlp' | 'none' | 'local' => {
    const exporter = env[`OTEL_${signal}_EXPORTER`] ?? '';
    if (exporter === 'none' || env.OTEL_SDK_DISABLED === 'true') return 'none';
    const endpoint = env[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`] ?? env.OTEL_EXPORTER_OTLP_ENDPOINT ?? '';
    return exporter === 'otlp' || (endpoint !== '' && exporter === '') ? 'otlp' : 'local';
  };
  return { traces: of('TRACES'), metrics: of('METRICS') };
};

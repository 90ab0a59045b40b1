import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { metrics } from '@opentelemetry/api';
import type { SpanProcessor } from '@opentelemetry/sdk-trace';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { captureSpans } from '../../testing/index.ts';
import { createLogger } from '../logging.ts';
import { otelTargets } from './otel-environment.ts';
import { startTelemetry, type Telemetry, tracer } from './telemetry.ts';

const stopping: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(stopping.splice(0).map((stop) => stop()));
  vi.unstubAllEnvs();
});

/** Takes whatever is posted and keeps the paths. */
const receiver = async (): Promise<{ readonly url: string; readonly paths: ReadonlySet<string> }> => {
  const paths = new Set<string>();
  const server: Server = createServer((request, response) => {
    paths.add(`${request.method ?? ''} ${request.url ?? ''}`);
    request.resume().on('end', () => response.end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  stopping.push(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, paths };
};

const start = (
  zipkinUrl: string | undefined,
  lines: string[] = [],
  processors?: readonly SpanProcessor[],
): Telemetry => {
  const logger = createLogger({
    service: 'kit',
    instance: 'kit-1',
    level: 'warn',
    destination: { write: (line) => void lines.push(line) },
  });
  const options = processors === undefined ? {} : { processors };
  return startTelemetry({ service: 'kit', instance: 'kit-1', zipkinUrl, logger, ...options });
};

describe('telemetry', () => {
  it('sends spans to Zipkin, and to nobody else, when the environment names no OTLP endpoint', async () => {
    const { url, paths } = await receiver();
    const telemetry = start(url);
    tracer().startSpan('one').end();
    await telemetry.stop(5_000);
    expect([...paths]).toEqual(['POST /api/v2/spans']);
  });

  it('sends spans and metrics by OTLP, and nothing to Zipkin, once OTEL_EXPORTER_OTLP_ENDPOINT is set', async () => {
    const [otlp, zipkin] = await Promise.all([receiver(), receiver()]);
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', otlp.url);
    const telemetry = start(zipkin.url);
    tracer().startSpan('one').end();
    metrics.getMeter('test').createCounter('things').add(1);
    await telemetry.stop(5_000);
    expect([...otlp.paths].toSorted()).toEqual(['POST /v1/metrics', 'POST /v1/traces']);
    expect(zipkin.paths.size).toBe(0);
  });

  it('is of the resource that OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME name, besides what the service calls itself', () => {
    vi.stubEnv('OTEL_RESOURCE_ATTRIBUTES', 'deployment.environment.name=lab%2C1,service.name=attributes');
    const attributesOf = (): Readonly<Record<string, unknown>> => {
      const spans = captureSpans();
      const telemetry = start(undefined, [], [spans.processor]);
      stopping.push(() => telemetry.stop(1_000));
      tracer().startSpan('one').end();
      return { ...spans.finished()[0]?.resource.attributes };
    };
    const named = { 'deployment.environment.name': 'lab,1', 'service.instance.id': 'kit-1' };
    expect(attributesOf()).toEqual({ ...named, 'service.name': 'attributes' });
    vi.stubEnv('OTEL_SERVICE_NAME', 'kit-by-name');
    expect(attributesOf()).toEqual({ ...named, 'service.name': 'kit-by-name' });
    vi.stubEnv('OTEL_RESOURCE_ATTRIBUTES', '');
    vi.stubEnv('OTEL_SERVICE_NAME', '');
    expect(attributesOf()).toEqual({ 'service.name': 'kit', 'service.instance.id': 'kit-1' });
  });

  it('that cannot be exported is counted, said once, and slows nobody', async () => {
    const lines: string[] = [];
    const telemetry = start('http://127.0.0.1:1', lines);
    for (const name of ['one', 'two']) tracer().startSpan(name).end();
    await telemetry.stop(5_000);
    expect(telemetry.lostSpans()).toBe(2);
    expect(lines).toHaveLength(1);
  });

  it('gives spans ids that propagate although nothing is exported', () => {
    const telemetry = start(undefined);
    stopping.push(() => telemetry.stop(1_000));
    const span = tracer().startSpan('one');
    expect(span.spanContext().traceId).not.toMatch(/^0+$/);
    span.end();
  });

  it('is scraped as text with units in its names, and bounds the series of one metric', async () => {
    const telemetry = start(undefined);
    stopping.push(() => telemetry.stop(1_000));
    const counter = metrics.getMeter('test').createCounter('things', { unit: 's' });
    for (let n = 0; n < 1_000; n++) counter.add(1, { n });
    const text = await telemetry.scrape();
    expect(text).toContain('# TYPE things_seconds_total counter');
    expect(text).toContain('target_info{service_name="kit",service_instance_id="kit-1"} 1');
    expect(text.match(/^things_seconds_total\{/gm)?.length).toBeLessThanOrEqual(300);
    expect(text).toMatch(/otel_metric_overflow="true"\} 7\d\d$/m);
  });
});

describe('telemetry that OTEL_SDK_DISABLED switches off', () => {
  it('makes no span and no metric, and breaks nothing', async () => {
    vi.stubEnv('OTEL_SDK_DISABLED', 'true');
    const telemetry = start('http://127.0.0.1:1');
    stopping.push(() => telemetry.stop(1_000));
    expect(tracer().startSpan('one').isRecording()).toBe(false);
    metrics.getMeter('test').createCounter('things').add(1);
    expect(await telemetry.scrape()).toBe('');
  });
});

describe('a process without metrics (OTEL_METRICS_EXPORTER=none)', () => {
  it('records none, and makes its spans as before', async () => {
    vi.stubEnv('OTEL_METRICS_EXPORTER', 'none');
    const telemetry = start('http://127.0.0.1:1');
    stopping.push(() => telemetry.stop(1_000));
    metrics.getMeter('test').createCounter('things').add(1);
    expect(await telemetry.scrape()).toBe('');
    expect(tracer().startSpan('one').isRecording()).toBe(true);
  });
});

describe('the standard environment', () => {
  it.each([
    [{}, 'local', 'local'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x' }, 'otlp', 'otlp'],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://x' }, 'otlp', 'local'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x', OTEL_TRACES_EXPORTER: 'none' }, 'none', 'otlp'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x', OTEL_TRACES_EXPORTER: 'zipkin' }, 'local', 'otlp'],
    [{ OTEL_TRACES_EXPORTER: 'otlp' }, 'otlp', 'local'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: '' }, 'local', 'local'],
    [{ OTEL_METRICS_EXPORTER: 'none' }, 'local', 'none'],
  ])('%j sends traces to %s and metrics to %s', (env, traces, metricsTo) => {
    expect(otelTargets(env)).toEqual({ traces, metrics: metricsTo });
  });
});

import { describe, expect, it } from 'vitest';
import {
  attribute,
  metricDefinitions,
  prometheusLabel,
  prometheusName,
  spanDefinitions,
  spanEvents,
} from './telemetry.ts';

describe('signals as contracts', () => {
  const known = new Set<string>(Object.values(attribute));

  it('every attribute of a span, event or metric is in the one list of attributes', () => {
    for (const { attributes } of [
      ...Object.values(spanDefinitions),
      ...Object.values(spanEvents),
      ...Object.values(metricDefinitions),
    ])
      for (const name of attributes) expect(known).toContain(name);
  });

  it('no two metrics have one name, in OpenTelemetry or in Prometheus', () => {
    const definitions = Object.values(metricDefinitions);
    expect(new Set(definitions.map(({ name }) => name)).size).toBe(definitions.length);
    expect(new Set(definitions.map(prometheusName)).size).toBe(definitions.length);
  });

  it('Prometheus names carry the unit, and counters their suffix', () => {
    expect(prometheusName(metricDefinitions.httpServerDuration)).toBe('http_server_request_duration_seconds');
    expect(prometheusName(metricDefinitions.cpuTime)).toBe('process_cpu_time_seconds_total');
    expect(prometheusName(metricDefinitions.eventLoopUtilization)).toBe('nodejs_eventloop_utilization_ratio');
    expect(prometheusName(metricDefinitions.ordersUnfinished)).toBe('parley_orders_unfinished');
    expect(prometheusLabel(attribute.httpStatusCode)).toBe('http_response_status_code');
  });
});

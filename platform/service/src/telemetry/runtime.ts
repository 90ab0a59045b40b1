import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { attribute, metricDefinitions } from '@parley/contracts/telemetry';
import { meter } from './instruments.ts';

/** How finely delays of the event loop are seen: each look is a timer, which costs a wake-up. */
const RESOLUTION_MS = 50;

/**
 * Observes event loop, heap, memory and processor time of this process, read when they are asked for. Returns what
 * ends it.
 */
export const observeRuntime = (): (() => void) => {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  let before = performance.eventLoopUtilization();
  const gauge = (metric: (typeof metricDefinitions)[keyof typeof metricDefinitions]) =>
    meter().createObservableGauge(metric.name, metric);
  gauge(metricDefinitions.eventLoopUtilization).addCallback((result) => {
    const now = performance.eventLoopUtilization();
    result.observe(performance.eventLoopUtilization(now, before).utilization);
    before = now;
  });
  gauge(metricDefinitions.eventLoopDelayMax).addCallback((result) => {
    // The monitor counts its own pause in.
    result.observe(Math.max(0, delay.max / 1e9 - RESOLUTION_MS / 1e3));
    delay.reset();
  });
  gauge(metricDefinitions.heapUsed).addCallback((result) => {
    result.observe(getHeapStatistics().used_heap_size);
  });
  gauge(metricDefinitions.heapLimit).addCallback((result) => {
    result.observe(getHeapStatistics().heap_size_limit);
  });
  gauge(metricDefinitions.memoryUsage).addCallback((result) => {
    result.observe(process.memoryUsage.rss());
  });
  const { cpuTime } = metricDefinitions;
  meter()
    .createObservableCounter(cpuTime.name, cpuTime)
    .addCallback((result) => {
      const { user, system } = process.cpuUsage();
      result.observe(user / 1e6, { [attribute.cpuMode]: 'user' });
      result.observe(system / 1e6, { [attribute.cpuMode]: 'system' });
    });
  return () => {
    delay.disable();
  };
};

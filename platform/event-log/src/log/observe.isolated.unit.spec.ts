import { metrics } from '@opentelemetry/api';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { metricDefinitions } from '@parley/contracts/telemetry';
import { done } from '@parley/delivery';
import { afterEach, expect, it, vi } from 'vitest';
import { counterOf, countedTopic } from '../../testing/counter.ts';
import { run } from '../../testing/harness.ts';
import { temporaryFolders } from '../../testing/snapshot-nodes.ts';
import { createMemoryBroker, openMemoryLog } from '../memory/open.ts';
import { observeLog } from './observe.ts';

const freshFolder = temporaryFolders();

class Reader extends MetricReader {
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}
afterEach(() => {
  metrics.disable();
});

/** Values (a histogram: its count) of one metric by their labels. */
const valuesOf = async (reader: Reader, name: string): Promise<ReadonlyMap<string, number>> => {
  const { resourceMetrics } = await reader.collect();
  const all = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
  const points = all.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? [];
  return new Map(
    points.map(({ attributes, value }) => [
      Object.values(attributes).join(' '),
      typeof value === 'number' ? value : value.count,
    ]),
  );
};

it('a log tells verdicts, lag, and the duration of commands and of what its reactions handle', async () => {
  const reader = new Reader();
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  const topic = countedTopic('observed');
  const log = openMemoryLog({ broker: createMemoryBroker() });
  const counters = log.aggregate(counterOf(topic));
  let blocked = true;
  log.react({
    group: 'watchers',
    topic,
    handle: () => (blocked ? Promise.reject(new TypeError('not yet')) : Promise.resolve(done)),
  });
  await log.start();
  for (const n of [1, 2]) await run(counters, `s-${n}`, n);
  const of = (metric: { readonly name: string }) => valuesOf(reader, metric.name);
  const { consumerRetries, deadLetters, deadLettersOpen } = metricDefinitions;
  const { consumerLag, consumerStalled, logRecords, publishDuration, processDuration } = metricDefinitions;

  expect((await of(logRecords)).get(`${topic.name} accepted`)).toBe(2);
  expect((await of(publishDuration)).get(`kafka ${topic.name} accepted`)).toBe(2);
  await vi.waitFor(async () => {
    expect((await of(consumerStalled)).get(`${topic.name} watchers`)).toBeGreaterThan(0);
    expect((await of(consumerRetries)).get(`${topic.name} watchers`)).toBeGreaterThan(0);
    expect((await of(processDuration)).get(`kafka ${topic.name} watchers TypeError`)).toBeGreaterThan(0);
  });
  expect((await of(consumerLag)).get(`${topic.name} watchers`)).toBe(2);
  expect((await of(deadLetters)).get(`kafka ${topic.name} watchers`)).toBe(0);
  expect((await of(deadLettersOpen)).get(`${topic.name} watchers`)).toBe(0);
  blocked = false;
  await vi.waitFor(async () => {
    expect((await of(consumerLag)).get(`${topic.name} watchers`)).toBe(0);
  });
  expect((await of(consumerStalled)).get(`${topic.name} watchers`)).toBe(0);
  await log.close();
});

it('a log that keeps snapshots tells of the newest of each topic, also of one that it started from', async () => {
  const reader = new Reader();
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  const topic = countedTopic('kept');
  const [broker, snapshotDir] = [createMemoryBroker(), await freshFolder()];
  const { snapshotAge, snapshotSize, snapshots } = metricDefinitions;
  const of = (metric: { readonly name: string }) => valuesOf(reader, metric.name);
  const start = async () => {
    const log = openMemoryLog({ broker, snapshotDir });
    const counters = log.aggregate({ ...counterOf(topic), module: import.meta.url });
    await log.start();
    return { log, counters };
  };
  const first = await start();
  await run(first.counters, 's-1', 1);
  expect(await of(snapshots)).toEqual(
    new Map([
      [`${topic.name} written`, 0],
      [`${topic.name} failed`, 0],
      [`${topic.name} ignored`, 0],
    ]),
  );
  expect(await of(snapshotAge)).toEqual(new Map());
  await first.log.close();
  const second = await start();
  expect((await of(snapshotSize)).get(topic.name)).toBeGreaterThan(0);
  expect((await of(snapshotAge)).get(topic.name)).toBeGreaterThanOrEqual(0);
  await second.log.close();
});

it('a log tells of each topic that it reads how many of its settings were altered, and nothing where that is not known', async () => {
  const reader = new Reader();
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  const fault = { topic: 'altered', setting: 'retention.ms', is: '1000', shouldBe: '-1' };
  const told: { faults: (typeof fault)[] | undefined } = { faults: undefined };
  const progress = {
    accepted: 0,
    conflicts: 0,
    duplicates: 0,
    badRecords: 0,
    skippedTypes: 0,
    failedFolds: 0,
  };
  const read = ['altered', 'kept'].map((topic) => ({ topic, nextOffsets: [], ...progress }));
  const end = observeLog({
    health: () => ({ topics: read, reactions: [] }),
    ends: () => undefined,
    topicFaults: () => told.faults,
    snapshots: () => [],
  });
  const values = () => valuesOf(reader, metricDefinitions.topicFaults.name);
  expect((await values()).size).toBe(0);
  told.faults = [fault];
  expect(Object.fromEntries(await values())).toEqual({ altered: 1, kept: 0 });
  told.faults = [];
  expect(Object.fromEntries(await values())).toEqual({ altered: 0, kept: 0 });
  end();
});

/** What a log tells as metrics: read when they are asked for, so that they cost nothing on the way. */
import { type BatchObservableResult, metrics } from '@opentelemetry/api';
import { attribute, messagingSystems, metricDefinitions } from '@parley/contracts/telemetry';
import type { EventLogHealth, ReadProgress } from '../ports.ts';
import type { SnapshotStatus } from '../snapshot/keeper.ts';
import type { TopicFault } from './transport.ts';

export interface Observed {
  health(): Pick<EventLogHealth, 'topics' | 'reactions'>;
  /** End offsets of a topic as told last; undefined before the first answer. */
  ends(topic: string): readonly number[] | undefined;
  /** Settings of topics that the log cannot be kept with; undefined where there are none to look at. */
  topicFaults(): readonly TopicFault[] | undefined;
  /** Of the topics that have some. */
  snapshots(): readonly SnapshotStatus[];
}

const lagOf = ({ nextOffsets }: ReadProgress, ends: readonly number[]): number =>
  ends.reduce((lag, end, partition) => lag + Math.max(0, end - (nextOffsets[partition] ?? 0)), 0);

/** Every topic that is read, with the number of its faults, and those of its own that only hold dead letters once they have some. */
function faultsByTopic(
  read: readonly ReadProgress[],
  faults: readonly TopicFault[] | undefined,
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  if (faults === undefined) return counts;
  for (const { topic } of read) counts.set(topic, 0);
  for (const { topic } of faults) counts.set(topic, (counts.get(topic) ?? 0) + 1);
  return counts;
}

/** Starts observing snapshots; returns what ends it. */
function observeSnapshots(log: Pick<Observed, 'snapshots'>): () => void {
  const meter = metrics.getMeter('@parley/event-log');
  const { snapshotAge, snapshotSize, snapshots } = metricDefinitions;
  const age = meter.createObservableGauge(snapshotAge.name, snapshotAge);
  const size = meter.createObservableGauge(snapshotSize.name, snapshotSize);
  const count = meter.createObservableCounter(snapshots.name, snapshots);
  const observe = (result: BatchObservableResult): void => {
    for (const { topic, newest, written, failed, ignored } of log.snapshots()) {
      const labels = { [attribute.messagingDestination]: topic };
      if (newest !== undefined) {
        result.observe(age, newest.ageMs / 1000, labels);
        result.observe(size, newest.bytes, labels);
      }
      for (const [outcome, total] of Object.entries({ written, failed, ignored }))
        result.observe(count, total, { ...labels, [attribute.outcome]: outcome });
    }
  };
  const observables = [age, size, count];
  meter.addBatchObservableCallback(observe, observables);
  return () => {
    meter.removeBatchObservableCallback(observe, observables);
  };
}

/** Starts observing; returns what ends it. */
export function observeLog(log: Observed): () => void {
  const meter = metrics.getMeter('@parley/event-log');
  const { consumerLag, consumerStalled, projectionLag, logRecords } = metricDefinitions;
  const { consumerRetries, deadLetters, deadLettersOpen, topicFaults } = metricDefinitions;
  const lag = meter.createObservableGauge(consumerLag.name, consumerLag);
  const stalled = meter.createObservableGauge(consumerStalled.name, consumerStalled);
  const behind = meter.createObservableGauge(projectionLag.name, projectionLag);
  const retries = meter.createObservableCounter(consumerRetries.name, consumerRetries);
  const dead = meter.createObservableCounter(deadLetters.name, deadLetters);
  const open = meter.createObservableGauge(deadLettersOpen.name, deadLettersOpen);
  const records = meter.createObservableCounter(logRecords.name, logRecords);
  const faulty = meter.createObservableGauge(topicFaults.name, topicFaults);
  const observe = (result: BatchObservableResult): void => {
    const { topics, reactions } = log.health();
    for (const [topic, count] of faultsByTopic(topics, log.topicFaults()))
      result.observe(faulty, count, { [attribute.messagingDestination]: topic });
    for (const reaction of reactions) {
      const labels = {
        [attribute.messagingDestination]: reaction.topic,
        [attribute.consumerGroup]: reaction.group,
      };
      result.observe(lag, reaction.lag, labels);
      result.observe(stalled, reaction.stalled?.attempt ?? 0, labels);
      result.observe(retries, reaction.retries, labels);
      result.observe(open, reaction.openDeadLetters, labels);
      result.observe(dead, reaction.deadLetters, {
        [attribute.messagingSystem]: messagingSystems.kafka,
        ...labels,
      });
    }
    for (const progress of topics) {
      const labels = { [attribute.messagingDestination]: progress.topic };
      const ends = log.ends(progress.topic);
      if (ends !== undefined) result.observe(behind, lagOf(progress, ends), labels);
      const verdicts = {
        accepted: progress.accepted,
        conflict: progress.conflicts,
        duplicate: progress.duplicates,
        bad: progress.badRecords,
        'unknown-type': progress.skippedTypes,
        'failed-fold': progress.failedFolds,
      };
      for (const [outcome, count] of Object.entries(verdicts))
        result.observe(records, count, { ...labels, [attribute.outcome]: outcome });
    }
  };
  const observables = [lag, stalled, behind, records, retries, dead, open, faulty];
  meter.addBatchObservableCallback(observe, observables);
  const endSnapshots = observeSnapshots(log);
  return () => {
    meter.removeBatchObservableCallback(observe, observables);
    endSnapshots();
  };
}

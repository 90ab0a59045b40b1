import type { ISocketFactory } from 'kafkajs';
import type { AsyncHops } from '@parley/delivery';
import type { Logger } from 'pino';
import { TransportLog } from '../log/event-log.ts';
import { defaultLimits, type LogLimits } from '../log/limits.ts';
import type { EventLog } from '../ports.ts';
import { snapshotsIn, type SnapshotLimits } from '../snapshot/settings.ts';
import type { TopicDurability } from './topic-settings.ts';
import { KafkaTransport } from './transport.ts';

export interface KafkaLogOptions {
  /** Name of the service: part of `ce_source`. */
  readonly service: string;
  readonly clientId: string;
  /** host:port of one or more brokers, separated by commas. */
  readonly bootstrap: string;
  /** Base URL of the registry's Confluent-compatible API. */
  readonly registryUrl: string;
  readonly logger: Logger;
  readonly limits?: Partial<LogLimits>;
  /** How many copies there are of each topic. Default: what the brokers have as their defaults. */
  readonly durability?: TopicDurability;
  /** How often the settings of the topics are looked at while the log runs. Default: every 30 s. */
  readonly topicCheckMs?: number;
  /** How brokers are reached; default: plain TCP. */
  readonly socketFactory?: ISocketFactory;
  /** Whether a reaction's span is a child of the publisher's span (default) or linked to it. */
  readonly asyncHops?: AsyncHops;
  /** Folder for snapshots of the folds, of this service alone. Default: none, and every start replays the log. */
  readonly snapshotDir?: string | undefined;
  readonly snapshotLimits?: Partial<SnapshotLimits>;
}

/**
 * The event log on Kafka, with Avro schemas in a registry.
 * @throws RangeError for copies of a topic that there cannot be
 */
export function openKafkaLog(options: KafkaLogOptions): EventLog {
  return new TransportLog(new KafkaTransport(options), {
    service: options.service,
    logger: options.logger,
    limits: { ...defaultLimits, ...options.limits },
    hops: options.asyncHops ?? 'child',
    now: Date.now,
    ...snapshotsIn(options.snapshotDir, options.snapshotLimits),
  });
}

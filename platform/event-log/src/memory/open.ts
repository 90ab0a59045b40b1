import type { AsyncHops } from '@parley/delivery';
import { pino, type Logger } from 'pino';
import { TransportLog } from '../log/event-log.ts';
import { defaultLimits, type LogLimits } from '../log/limits.ts';
import type { TopicListener, Transport } from '../log/transport.ts';
import type { EventLog } from '../ports.ts';
import { snapshotsIn, type SnapshotLimits } from '../snapshot/settings.ts';
import { MemoryBroker } from './broker.ts';
import { MemoryLink } from './link.ts';

/** An empty log that several `openMemoryLog` can share. */
export const createMemoryBroker = (): MemoryBroker => new MemoryBroker();

export interface MemoryLogOptions {
  /** Default: a broker of its own. */
  readonly broker?: MemoryBroker;
  /** Default: one that is never held up. */
  readonly link?: MemoryLink;
  /** Default: `memory`. */
  readonly service?: string;
  /** Default: silent. */
  readonly logger?: Logger;
  readonly limits?: Partial<LogLimits>;
  readonly asyncHops?: AsyncHops;
  readonly now?: () => number;
  /** Folder for snapshots. Default: none. */
  readonly snapshotDir?: string;
  readonly snapshotLimits?: Partial<SnapshotLimits>;
}

/** The way of one log to a broker in memory. */
export function memoryTransport(broker: MemoryBroker, link: MemoryLink): Transport {
  const leaving: (() => void)[] = [];
  const closing: (() => void)[] = [];
  return {
    schemas: broker.schemas,
    connect: (topics) => {
      for (const { name, partitions } of topics) broker.ensureTopic(name, partitions);
      return Promise.resolve();
    },
    endOffsets: async (topic) => {
      await link.request();
      const ends = broker.endOffsets(topic);
      await link.answer();
      return ends;
    },
    send: async (topic, partition, records) => {
      await link.request();
      await broker.send(topic, partition, records);
      await link.answer();
    },
    read: (topic, listener) => {
      const linked: TopicListener = {
        progress: (partition) => listener.progress(partition),
        isDone: (partition) => listener.isDone?.(partition) ?? false,
        onRecords: async (partition, records) => {
          await link.answer();
          await listener.onRecords(partition, records);
        },
        onDiverged: (detail) => {
          listener.onDiverged(detail);
        },
      };
      const stop = broker.read(topic, linked);
      closing.push(stop);
      return Promise.resolve(() => {
        stop();
        return Promise.resolve();
      });
    },
    join: (group, topic, listener) => {
      leaving.push(broker.join(group, topic, listener));
      return Promise.resolve();
    },
    leaveGroups: () => {
      for (const leave of leaving.splice(0)) leave();
      return Promise.resolve();
    },
    close: () => {
      for (const stop of closing.splice(0)) stop();
      return Promise.resolve();
    },
  };
}

/** The event log without a broker, for unit tests: the same arbitration, chaining and reactions. */
export function openMemoryLog(options: MemoryLogOptions = {}): EventLog {
  const transport = memoryTransport(options.broker ?? createMemoryBroker(), options.link ?? new MemoryLink());
  return new TransportLog(transport, {
    service: options.service ?? 'memory',
    logger: options.logger ?? pino({ level: 'silent' }),
    limits: { ...defaultLimits, ...options.limits },
    hops: options.asyncHops ?? 'child',
    now: options.now ?? Date.now,
    ...snapshotsIn(options.snapshotDir, options.snapshotLimits),
  });
}

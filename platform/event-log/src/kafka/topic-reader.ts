/**
 * Reads a whole topic for ever, from where the listener is. After each (re)join it looks again at the last record
 * that was folded: when another commit lies there now, or none, the log was cut under the reader, which must start over.
 */
import { randomUUID } from 'node:crypto';
import type { Consumer, Kafka } from 'kafkajs';
import type { Logger } from 'pino';
import { decodeCommitHeader, fromKey } from '../arbitration/commit-header.ts';
import { logHeaders } from '../headers.ts';
import type { RawRecord, TopicListener } from '../log/transport.ts';

export interface TopicReaderOptions {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly partitions: number;
  readonly listener: TopicListener;
  readonly logger: Logger;
}

const commitOf = (record: RawRecord): string | undefined => {
  const header = decodeCommitHeader(record.headers?.[logHeaders.commit]);
  return header === undefined ? undefined : fromKey(header.commit);
};

export async function readTopic(options: TopicReaderOptions): Promise<Consumer> {
  const { kafka, topic, partitions, listener, logger } = options;
  const consumer = kafka.consumer({
    groupId: `parley.reader.${randomUUID()}`, // a group of one: every process reads everything
    sessionTimeout: 30_000,
    heartbeatInterval: 3000,
    minBytes: 1,
    maxWaitTimeInMs: 500,
    maxBytesPerPartition: 1_048_576,
    maxBytes: 16_777_216,
    allowAutoTopicCreation: false,
    retry: {
      initialRetryTime: 50,
      maxRetryTime: 500,
      retries: 10,
      restartOnFailure: () => Promise.resolve(true),
    },
  });
  /** Partitions whose last folded record must be seen again before anything behind it counts. */
  const unverified = new Set<number>();
  const seekAll = (): void => {
    for (let partition = 0; partition < partitions; partition++) {
      const { next } = listener.progress(partition);
      if (next > 0) unverified.add(partition);
      consumer.seek({ topic, partition, offset: String(Math.max(0, next - 1)) });
    }
  };
  consumer.on(consumer.events.GROUP_JOIN, seekAll);
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: true,
    partitionsConsumedConcurrently: partitions,
    eachBatch: async (payload) => {
      const { batch } = payload;
      const [first] = batch.messages;
      if (first === undefined || payload.isStale()) return;
      const { partition } = batch;
      if (unverified.has(partition)) {
        const { next, lastCommit } = listener.progress(partition);
        if (Number(first.offset) !== next - 1 || commitOf(first) !== lastCommit) {
          const detail = `${topic}/${String(partition)}: the record at ${String(next - 1)} is not the one that was folded`;
          logger.error(
            { topic, partition, next },
            'the log was cut under this reader; it drops its state and replays',
          );
          unverified.clear();
          listener.onDiverged(detail);
          seekAll();
          return;
        }
        unverified.delete(partition);
      }
      const { next } = listener.progress(partition);
      if (Number(first.offset) > next) {
        // Fetched before a restart at 0, or a hole in the log: folding it would diverge from every other reader.
        logger.error(
          { topic, partition, next, offset: first.offset },
          'records ahead of the fold; read again',
        );
        consumer.seek({ topic, partition, offset: String(next) });
        return;
      }
      await listener.onRecords(partition, batch.messages);
      await payload.heartbeat();
    },
  });
  return consumer;
}

/** Joins a consumer group for a reaction: assignment and offsets are Kafka's, effects are the listener's. */
import type { Consumer, Kafka } from 'kafkajs';
import type { GroupListener } from '../log/transport.ts';

export interface GroupMemberOptions {
  readonly kafka: Kafka;
  readonly group: string;
  readonly topic: string;
  readonly partitions: number;
  readonly listener: GroupListener;
}

/** A member that was killed is replaced after this long: the smallest time-out that brokers allow by default. */
const SESSION_TIMEOUT_MS = 6000;

export async function joinGroup(options: GroupMemberOptions): Promise<Consumer> {
  const { kafka, group, topic, partitions, listener } = options;
  const consumer = kafka.consumer({
    groupId: group,
    sessionTimeout: SESSION_TIMEOUT_MS,
    rebalanceTimeout: 10_000,
    heartbeatInterval: 1500,
    minBytes: 1,
    maxWaitTimeInMs: 500,
    allowAutoTopicCreation: false,
    retry: {
      initialRetryTime: 50,
      maxRetryTime: 500,
      retries: 10,
      restartOnFailure: () => Promise.resolve(true),
    },
  });
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    listener.onAssigned(payload.memberAssignment[topic] ?? []);
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    partitionsConsumedConcurrently: partitions,
    eachBatch: async (payload) => {
      const { batch } = payload;
      const isActive = (): boolean => payload.isRunning() && !payload.isStale();
      await listener.onBatch({
        partition: batch.partition,
        records: batch.messages,
        logEnd: Number(batch.highWatermark),
        isActive,
        heartbeat: () => payload.heartbeat(),
        commit: async (next) => {
          if (!isActive()) return;
          payload.resolveOffset(String(next - 1));
          await consumer.commitOffsets([{ topic, partition: batch.partition, offset: String(next) }]);
        },
      });
    },
  });
  return consumer;
}

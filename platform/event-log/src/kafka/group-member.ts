/**
 * Joins a consumer group for a reaction: assignment and offsets are Kafka's, effects are the listener's.
 *
 * A committed offset carries the id of the commit before it. Whoever gets the partition next looks that record up
 * again, and so does its member when another leader wrote what comes next; when another one lies there, the log was cut
 * behind the group's back, and the partition is gone through from its beginning: effects may be repeated, none is missed.
 */
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import type { Logger } from 'pino';
import type { GroupListener, RawRecord } from '../log/transport.ts';
import { commitOf } from '../log/recorded-event.ts';
import { FetchPace } from './fetch-pace.ts';
import { fetchWait } from './fetch-wait.ts';
import { OffsetCommits, type Offset } from './offset-commits.ts';
import { Leaders } from './leaders.ts';

export interface GroupMemberOptions {
  readonly kafka: Kafka;
  readonly group: string;
  readonly topic: string;
  readonly partitions: number;
  readonly listener: GroupListener;
  readonly logger: Logger;
  /** Aborted when it is to leave: nothing waits any more. */
  readonly signal?: AbortSignal;
}

/** A member that was killed is replaced after this long: the smallest time-out that brokers allow by default. */
const SESSION_TIMEOUT_MS = 6000;
/** Between fetches that bring little, and between commits of offsets: no caller waits for an effect. */
const EVERY_MS = 25;

export const memberOf = (kafka: Kafka, group: string, gatherMs?: number): Consumer =>
  kafka.consumer({
    groupId: group,
    sessionTimeout: SESSION_TIMEOUT_MS,
    rebalanceTimeout: 10_000,
    heartbeatInterval: 1500,
    ...fetchWait(gatherMs),
    allowAutoTopicCreation: false,
    readUncommitted: true, // the log as it lies there: what a stranger's transaction leaves out would be a gap
    retry: {
      initialRetryTime: 50,
      maxRetryTime: 500,
      retries: 5,
      restartOnFailure: () => Promise.resolve(false), // it is replaced by a new one
    },
  });

class Membership {
  readonly #consumer: Consumer;
  readonly #options: GroupMemberOptions;
  /** What the record before the first batch must be, by partition; absent once it was seen or there is none. */
  readonly #expected = new Map<number, string>();
  readonly #unverified = new Set<number>();
  readonly #leaders = new Leaders();
  readonly #pace = new FetchPace(EVERY_MS);
  readonly #commits = new OffsetCommits(EVERY_MS);
  /** Counts joins, losses and leaves: what was handed out before the last one is no longer this member's. */
  #generation = 0;
  #isMember = false;

  constructor(consumer: Consumer, options: GroupMemberOptions) {
    this.#consumer = consumer;
    this.#options = options;
  }

  /** It leaves, and has its partitions until the batches that it was handed have ended. */
  readonly onLeaving = (): void => {
    this.#commits.flush();
  };

  /** It has left: a batch that outlives that, as one that is tried again beside the others may, is another member's. */
  onStopped(): void {
    this.#generation++;
  }

  onJoined(partitions: readonly number[]): void {
    this.onLost();
    this.#expected.clear();
    this.#unverified.clear();
    for (const partition of partitions) this.#unverified.add(partition);
    this.#isMember = true;
    this.#options.listener.onAssigned(partitions);
  }

  /** @param why the consumer has ended. */
  onLost(why?: Error): void {
    this.#generation++;
    if (!this.#isMember && why === undefined) return;
    this.#isMember = false;
    this.#options.listener.onLost(why);
  }

  onBatch(payload: EachBatchPayload): Promise<void> {
    return this.#pace.paced(payload.batch.messages.length, () => this.#handle(payload), this.#options.signal);
  }

  async #handle(payload: EachBatchPayload): Promise<void> {
    const { partition, messages, highWatermark } = payload.batch;
    const generation = this.#generation;
    const [first] = messages;
    if (first !== undefined && this.#leaders.isNew(partition, first)) this.#unverified.add(partition);
    const records = this.#unverified.has(partition) ? await this.#verified(payload) : messages;
    if (records.length === 0) return;
    this.#leaders.onRead(partition, records);
    const isLeaving = (): boolean => this.#options.signal?.aborted === true;
    const isCurrent = (): boolean => generation === this.#generation && !payload.isStale();
    await this.#options.listener.onBatch({
      partition,
      records,
      logEnd: Number(highWatermark),
      isActive: () => isCurrent() && payload.isRunning(),
      heartbeat: () => payload.heartbeat(),
      pause: () => payload.pause(),
      commit: async (next) => {
        const last = messages.find(({ offset }) => Number(offset) === next - 1);
        const commit = last === undefined ? undefined : commitOf(last);
        const committed = await this.#commits.add(
          { partition, next, commit },
          {
            records: isLeaving() ? Number.POSITIVE_INFINITY : records.length,
            // A consumer that has crashed connects anew for a commit, and nobody ends that connection.
            isCurrent: () => isCurrent() && (payload.isRunning() || isLeaving()),
            commit: (offsets) => this.#commit(payload, offsets),
          },
        );
        if (committed) payload.resolveOffset(String(next - 1));
        return committed;
      },
    });
  }

  /** Commits without kafkajs' own retries: while they last, a rebalance that all others wait for cannot go on. */
  #commit(payload: EachBatchPayload, offsets: readonly Offset[]): Promise<void> {
    const { topic } = this.#options;
    const partitions = offsets.map(({ partition, next, commit }) => ({
      partition,
      offset: String(next),
      metadata: commit ?? null,
    }));
    return payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions }] });
  }

  /** What of the batch is to be handled; nothing when something else must be read first, which has been sought. */
  async #verified(payload: EachBatchPayload): Promise<readonly RawRecord[]> {
    const { topic, logger, group } = this.#options;
    const { partition, messages } = payload.batch;
    const [first] = messages;
    if (first === undefined || payload.isStale()) return [];
    const expected = this.#expected.get(partition);
    if (expected !== undefined) {
      this.#expected.delete(partition);
      this.#unverified.delete(partition);
      if (commitOf(first) === expected) {
        payload.resolveOffset(first.offset);
        return messages.slice(1); // the first was handled before its offset was committed
      }
      logger.error(
        { topic, partition, group, offset: first.offset },
        'the log was cut; the reaction starts again',
      );
      this.#consumer.seek({ topic, partition, offset: '0' });
      return [];
    }
    const committed = await this.#committed(partition);
    if (committed.commit === undefined || committed.offset !== Number(first.offset)) {
      this.#unverified.delete(partition); // nothing to compare with, or kafkajs went back to the beginning itself
      return messages;
    }
    this.#expected.set(partition, committed.commit);
    this.#consumer.seek({ topic, partition, offset: String(committed.offset - 1) });
    return [];
  }

  async #committed(
    partition: number,
  ): Promise<{ readonly offset: number; readonly commit: string | undefined }> {
    const { kafka, topic, group } = this.#options;
    const admin = kafka.admin();
    try {
      await admin.connect();
      const [answer] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
      const at = answer?.partitions.find((other) => other.partition === partition);
      const metadata = at?.metadata ?? '';
      return { offset: Number(at?.offset ?? -1), commit: metadata === '' ? undefined : metadata };
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }
}

/** Connects the consumer and lets it be a member of the group until it ends. */
export async function joinGroup(consumer: Consumer, options: GroupMemberOptions): Promise<void> {
  const { topic, partitions } = options;
  const membership = new Membership(consumer, options);
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    membership.onJoined(payload.memberAssignment[topic] ?? []);
  });
  consumer.on(consumer.events.REBALANCING, () => {
    membership.onLost();
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    membership.onLost(payload.error);
    options.signal?.removeEventListener('abort', membership.onLeaving);
  });
  consumer.on(consumer.events.STOP, () => {
    membership.onStopped();
    options.signal?.removeEventListener('abort', membership.onLeaving);
  });
  options.signal?.addEventListener('abort', membership.onLeaving);
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: partitions,
      eachBatch: (payload) => membership.onBatch(payload),
    });
  } catch (error) {
    options.signal?.removeEventListener('abort', membership.onLeaving);
    throw error;
  }
}

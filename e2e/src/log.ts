import { randomUUID } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { patchKafkajs } from '@parley/event-log/testing';
import kafkajs, { type Kafka, type KafkaMessage } from 'kafkajs';
import type { StackUnderTest } from './stack.ts';

/** A record that every reader of the log has accepted. */
export interface AcceptedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** `order-<orderId>` and the like. */
  readonly streamId: string;
  /** ce_type: the event's name. */
  readonly type: string;
  readonly eventId: string;
  readonly correlationId: string;
  /** The event or command that led to it; empty when a client did. */
  readonly causationId: string;
  /** ce_time, milliseconds since the epoch. */
  readonly timeMs: number;
}

/** What a topic holds, by the rule of docs/adr/0001. */
export interface TopicContent {
  readonly accepted: readonly AcceptedRecord[];
  /** Losers and second copies, which no reader folds. */
  readonly dropped: number;
}

const readDeadlineMs = 120_000;
const header = (message: KafkaMessage, name: string): Buffer => {
  const value = message.headers?.[name];
  if (value === undefined || Array.isArray(value)) return Buffer.alloc(0);
  return Buffer.from(value);
};
const text = (message: KafkaMessage, name: string): string => header(message, name).toString('utf8');

/**
 * The rule, told here again in its shortest form: a commit counts when it is complete, its base is the stream's
 * version, its predecessor the stream's last accepted commit and its history the stream's. Product code that folds otherwise is found out.
 */
class Judge {
  readonly accepted: AcceptedRecord[] = [];
  dropped = 0;
  readonly #heads = new Map<string, { version: number; last: string; history: number }>();
  #open:
    { readonly commit: string; readonly records: AcceptedRecord[]; readonly values: number[] } | undefined;

  take(at: { readonly topic: string; readonly partition: number }, message: KafkaMessage): void {
    const commitHeader = header(message, 'parley-commit');
    const streamId = message.key?.toString('utf8') ?? '';
    if (commitHeader.length !== 44) throw new Error(`no commit header at ${at.topic}/${message.offset}`);
    const commit = commitHeader.toString('hex', 0, 16);
    const previous = commitHeader.toString('hex', 16, 32);
    const [base, index, size, history] = [
      commitHeader.readUInt32BE(32),
      commitHeader.readUInt16BE(36),
      commitHeader.readUInt16BE(38),
      commitHeader.readInt32BE(40),
    ];
    if (index === 0 || this.#open?.commit !== commit) {
      this.dropped += this.#open?.records.length ?? 0;
      this.#open = { commit, records: [], values: [] };
    }
    const schema = `${at.topic.replace(/events$/, '')}${text(message, 'ce_type')}`; // parley.order.OrderCreated
    this.#open.values.push(crc32(message.value?.subarray(5) ?? '', crc32(schema)));
    this.#open.records.push({
      ...at,
      offset: Number(message.offset),
      streamId,
      type: text(message, 'ce_type'),
      eventId: text(message, 'ce_id'),
      correlationId: text(message, 'correlation-id'),
      causationId: text(message, 'causation-id'),
      timeMs: Date.parse(text(message, 'ce_time')),
    });
    if (this.#open.records.length < size) return;
    const { records, values } = this.#open;
    this.#open = undefined;
    const head = this.#heads.get(streamId) ?? { version: 0, last: '0'.repeat(32), history: 0 };
    if (base !== head.version || previous !== head.last || history !== head.history) {
      this.dropped += records.length;
      return;
    }
    // FNV-1a, of what the commit says (how many values, and the CRC-32 of each one's schema's name and of what is behind
    // its schema's id) and of its id and that.
    const mix = (digest: number, word: number): number => Math.imul(digest ^ word, 0x01000193);
    const after = [...Buffer.from(commit, 'hex'), values.reduce(mix, size)].reduce(mix, history);
    this.#heads.set(streamId, { version: base + size, last: commit, history: after });
    this.accepted.push(...records);
  }
}

/** A plain client of the stack's Kafka. */
export const kafkaOf = ({ endpoints }: Pick<StackUnderTest, 'endpoints'>): Kafka => {
  patchKafkajs();
  return new kafkajs.Kafka({
    clientId: 'e2e',
    brokers: endpoints.kafka.bootstrap.split(','),
    connectionTimeout: 10_000,
    retry: { maxRetryTime: 2_000, retries: 10 },
    logLevel: kafkajs.logLevel.NOTHING,
  });
};

/** Where a consumer group stands on a topic: the next offset to be handled, by partition; -1 where it never committed. */
export const groupPosition = async (
  stack: Pick<StackUnderTest, 'endpoints'>,
  groupId: string,
  topic: string,
): Promise<{
  readonly state: string;
  readonly members: number;
  readonly offsets: ReadonlyMap<number, number>;
}> => {
  const admin = kafkaOf(stack).admin();
  await admin.connect();
  try {
    const [group] = (await admin.describeGroups([groupId])).groups;
    const [position] = await admin.fetchOffsets({ groupId, topics: [topic] });
    return {
      state: group?.state ?? 'unknown',
      members: group?.members.length ?? 0,
      offsets: new Map(position?.partitions.map(({ partition, offset }) => [partition, Number(offset)])),
    };
  } finally {
    await admin.disconnect();
  }
};

/** Reads a whole topic with a plain consumer, from offset 0 to its end as of now. Rejects past 2 min. */
export const readTopic = async (
  stack: Pick<StackUnderTest, 'endpoints'>,
  topic: string,
): Promise<TopicContent> => {
  const kafka = kafkaOf(stack);
  const admin = kafka.admin();
  await admin.connect();
  const ends = new Map<number, number>();
  try {
    for (const { partition, high } of await admin.fetchTopicOffsets(topic)) ends.set(partition, Number(high));
  } finally {
    await admin.disconnect();
  }
  const judges = new Map([...ends.keys()].map((partition) => [partition, new Judge()]));
  const unread = new Set([...ends].filter(([, end]) => end > 0).map(([partition]) => partition));
  const consumer = kafka.consumer({ groupId: `e2e-${randomUUID()}` });
  const done = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => {
    done.reject(new Error(`${topic} could not be read within ${readDeadlineMs} ms`));
  }, readDeadlineMs);
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    if (unread.size === 0) done.resolve(undefined);
    await consumer.run({
      autoCommit: false,
      eachMessage: ({ partition, message }) => {
        const end = ends.get(partition) ?? 0;
        try {
          if (Number(message.offset) < end) judges.get(partition)?.take({ topic, partition }, message);
        } catch (error) {
          done.reject(error instanceof Error ? error : new Error(String(error)));
        }
        if (Number(message.offset) >= end - 1) unread.delete(partition);
        if (unread.size === 0) done.resolve(undefined);
        return Promise.resolve();
      },
    });
    await done.promise;
  } finally {
    clearTimeout(timer);
    await consumer.disconnect();
  }
  return {
    accepted: [...judges.values()].flatMap((judge) => judge.accepted),
    dropped: [...judges.values()].reduce((sum, judge) => sum + judge.dropped, 0),
  };
};

/** The records of a topic for which `wanted` answers true, from offset 0, once there are `count` of them. Rejects past the deadline. */
export const findRecords = async (
  stack: Pick<StackUnderTest, 'endpoints'>,
  topic: string,
  options: {
    readonly wanted: (message: KafkaMessage, partition: number) => boolean;
    readonly count: number;
    readonly deadlineMs: number;
  },
): Promise<readonly KafkaMessage[]> => {
  const found: KafkaMessage[] = [];
  const done = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => {
    done.reject(new Error(`${topic} has ${String(found.length)} of ${String(options.count)} records`));
  }, options.deadlineMs);
  const consumer = kafkaOf(stack).consumer({ groupId: `e2e-${randomUUID()}` });
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: ({ partition, message }) => {
        if (options.wanted(message, partition)) found.push(message);
        if (found.length >= options.count) done.resolve(undefined);
        return Promise.resolve();
      },
    });
    await done.promise;
  } finally {
    clearTimeout(timer);
    await consumer.disconnect();
  }
  return found;
};

/** How often each stream has an accepted event of one type. */
export const countByStream = (
  records: readonly AcceptedRecord[],
  type: string,
): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  for (const record of records)
    if (record.type === type) counts.set(record.streamId, (counts.get(record.streamId) ?? 0) + 1);
  return counts;
};

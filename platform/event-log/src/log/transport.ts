/** What the log needs from what it runs on. Two adapters: kafka/ and memory/. */
import type { Buffer } from 'node:buffer';
import type { SchemaStore } from '../avro/codec.ts';
import type { HeaderList, HeaderValue } from './header-list.ts';

/** A record as it lies in the log (the shape of kafkajs, so that no record is copied on the hot path). */
export interface RawRecord {
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, HeaderValue>>;
  readonly timestamp: string;
  /** All headers in their order; undefined where only `headers` are known. */
  readonly headerList?: HeaderList;
  /** As `headers`, of a record that reads one without the others; undefined unless it is there once. */
  readonly header?: (name: string) => Buffer | undefined;
  /**
   * Number of the leader that wrote it, higher for each: behind it no record has a lower one. Undefined where there are
   * no leaders.
   */
  readonly leaderEpoch?: number;
}

export interface NewRecord {
  readonly key: Buffer | string | null;
  readonly value: Buffer | null;
  /** A list is written as it is, in its order. */
  readonly headers: Readonly<Record<string, Buffer | string>> | HeaderList;
}

/** A topic that is made when it is missing. */
export interface DeclaredTopic {
  readonly name: string;
  readonly partitions: number;
  /** Most bytes of one batch. Default: what the brokers have. */
  readonly batchBytesMax?: number;
}

/** A setting of a topic that is not what the log is built on. */
export interface TopicFault {
  readonly topic: string;
  /** As Kafka names it, `partitions` or `replication.factor`. */
  readonly setting: string;
  readonly is: string;
  /** A value, or `at least` and the least one. */
  readonly shouldBe: string;
}

/** The broker refused the batch for good: nothing of it is in the log. */
export class BatchRefused extends Error {
  override readonly name = 'BatchRefused';
}

/** What a reader of a whole topic is told. Batches of one partition arrive in order, one at a time. */
export interface TopicListener {
  /** Where to continue, and what must still lie right before it. */
  progress(partition: number): { readonly next: number; readonly lastCommit: string | undefined };
  onRecords(partition: number, records: readonly RawRecord[]): Promise<void>;
  /** The log no longer holds what was folded: drop all state; reading starts again at 0. */
  onDiverged(detail: string): void;
  /** True once nothing more of the partition is wanted, for good. Absent: never. */
  isDone?(partition: number): boolean;
  /**
   * What the reader of a partition (undefined: of all) waits for instead of reading, for messages; undefined: nothing
   * any more.
   */
  onWaiting?(partition: number | undefined, what: string | undefined): void;
}

/** A batch handed to one member of a consumer group. */
export interface GroupBatch {
  readonly partition: number;
  readonly records: readonly RawRecord[];
  /** Offset after the last record of the partition. */
  readonly logEnd: number;
  /** False once the member leaves, or has lost the partition: stop, another member will do what is not committed. */
  readonly isActive: () => boolean;
  readonly heartbeat: () => Promise<void>;
  /**
   * Hands out nothing more of the partition until what is answered is called, so that `onBatch` may return before the batch
   * is done: other partitions wait for it otherwise.
   */
  readonly pause: () => () => void;
  /**
   * Everything before `next` is done; resolves with whether that was committed. A member that leaves may still commit; one
   * that has lost the partition commits nothing, and that is no error.
   */
  readonly commit: (next: number) => Promise<boolean>;
}

export interface GroupListener {
  onAssigned(partitions: readonly number[]): void;
  /**
   * The partitions are no longer this member's: a rebalance has begun, or its consumer has ended, and why. `onAssigned`
   * follows once the group lets it in again.
   */
  onLost(why?: Error): void;
  onBatch(batch: GroupBatch): Promise<void>;
}

/** How much of a topic is fetched, and then taken apart in one go: as much as is quickest, or little. */
export type ReadPace = 'full' | 'beside';

export interface ReadOptions {
  /** `beside`: in small pieces, since requests are served meanwhile. Default: `full`. */
  readonly pace?: ReadPace;
  /** How long records may be kept for others to come with them, at most `GATHER_MS_MAX`; 0 when absent. */
  readonly gatherMs?: number | undefined;
  /** How soon is fetched again while few records come at a time, at the soonest; 0 when absent. */
  readonly fetchEveryMs?: number | undefined;
}

export interface Transport {
  readonly schemas: SchemaStore;
  /** Waits for the log, makes the topics that are missing. Rejects when aborted. */
  connect(topics: readonly DeclaredTopic[], signal: AbortSignal): Promise<void>;
  /** What somebody has made of the topics since, as far as it is known. Absent where nobody can. */
  topicFaults?(): readonly TopicFault[] | undefined;
  /** End offsets now, by partition. */
  endOffsets(topic: string): Promise<readonly number[]>;
  /**
   * Appends one batch to one partition, as a unit. Resolves once it is in the log. Rejects with BatchRefused when
   * it is certainly not in the log and never will be, with anything else when it may be.
   */
  send(topic: string, partition: number, records: readonly NewRecord[]): Promise<void>;
  /**
   * Reads a whole topic from where the listener is, for ever, whatever fails in between. Resolves with a function that
   * ends it.
   */
  read(topic: string, listener: TopicListener, options?: ReadOptions): Promise<() => Promise<void>>;
  /** Joins a consumer group. */
  join(
    group: string,
    topic: string,
    listener: GroupListener,
    options?: Pick<ReadOptions, 'gatherMs'>,
  ): Promise<void>;
  /** Leaves the groups (batches under way see `isActive` false). */
  leaveGroups(): Promise<void>;
  close(): Promise<void>;
}

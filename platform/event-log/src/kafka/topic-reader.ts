/**
 * Reads a whole topic for ever, from where the listener is. After each (re)join, whenever it is handed what lies before
 * where the listener is, and whenever another leader wrote what comes next (leaders.ts), it looks again at the last
 * record that was folded: when another commit lies there now, or none, the log was cut under the reader, which must start
 * over.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import type { Logger } from 'pino';
import { commitOf } from '../log/recorded-event.ts';
import type { ReadOptions, ReadPace, TopicListener } from '../log/transport.ts';
import { FetchPace } from './fetch-pace.ts';
import { fetchWait } from './fetch-wait.ts';
import { Leaders } from './leaders.ts';

export interface TopicReaderOptions {
  readonly topic: string;
  readonly partitions: number;
  readonly listener: TopicListener;
  readonly logger: Logger;
  /** End offsets now, by partition. */
  readonly endOffsets: () => Promise<readonly number[]>;
  /** Aborted when it is to end: a pause then ends at once. */
  readonly signal: AbortSignal;
  /** See `ReadOptions`. */
  readonly fetchEveryMs?: number | undefined;
}

const GAP_PAUSE_MS_MIN = 50;
const GAP_PAUSE_MS_MAX = 5000;

/**
 * Bytes of one partition in one answer. An answer is taken apart without a pause: four partitions of a mebibyte keep
 * the event loop for 50 to 200 ms, which nobody feels at a start, and every request beside a rebuild would.
 */
const FETCH_BYTES: Readonly<Record<ReadPace, number>> = { full: 1_048_576, beside: 131_072 };

/** A group of one: every process reads everything. A new group each time, so that no former self is waited for. */
export const readerOf = (kafka: Kafka, { pace = 'full', gatherMs }: ReadOptions): Consumer =>
  kafka.consumer({
    groupId: `parley.reader.${randomUUID()}`,
    sessionTimeout: 30_000,
    heartbeatInterval: 3000,
    ...fetchWait(gatherMs),
    maxBytesPerPartition: FETCH_BYTES[pace],
    maxBytes: 16_777_216,
    allowAutoTopicCreation: false,
    readUncommitted: true, // the log as it lies there: what a stranger's transaction leaves out would be a gap
    retry: {
      initialRetryTime: 50,
      maxRetryTime: 500,
      retries: 5,
      restartOnFailure: () => Promise.resolve(false), // it is replaced by a new one
    },
  });

class Reading {
  readonly #consumer: Consumer;
  readonly #options: TopicReaderOptions;
  /**
   * Partitions whose last folded record must be seen again before anything behind it counts, with where the listener was
   * when it was sought.
   */
  readonly #unverified = new Map<number, number>();
  readonly #leaders = new Leaders();
  /** By partition that met a gap. */
  readonly #gapPausesMs = new Map<number, number>();
  readonly #pace: FetchPace;

  constructor(consumer: Consumer, options: TopicReaderOptions) {
    this.#consumer = consumer;
    this.#options = options;
    this.#pace = new FetchPace(options.fetchEveryMs ?? 0);
  }

  seekAll(): void {
    for (let partition = 0; partition < this.#options.partitions; partition++) this.#seek(partition);
  }

  /** As `compareWithEnds`, while it is read. */
  async lookAtEnds(): Promise<void> {
    if (await this.compareWithEnds()) this.seekAll();
  }

  /**
   * Drops the state when the log ends before what was folded; a reader behind its end would wait there unaware.
   * @returns whether it did
   */
  async compareWithEnds(): Promise<boolean> {
    const { partitions, listener, endOffsets } = this.#options;
    const nexts = Array.from({ length: partitions }, (_, partition) => listener.progress(partition).next);
    if (nexts.every((next) => next === 0)) return false;
    const ends = await endOffsets();
    const cut = nexts.findIndex(
      (next, partition) => next > (ends[partition] ?? 0) && listener.progress(partition).next >= next, // else it was dropped meanwhile
    );
    if (cut === -1) return false;
    this.#diverged(cut, `the log ends at ${String(ends[cut])}`);
    return true;
  }

  onBatch(payload: EachBatchPayload): Promise<void> {
    return this.#pace.paced(payload.batch.messages.length, () => this.#take(payload), this.#options.signal);
  }

  async #take(payload: EachBatchPayload): Promise<void> {
    const { topic, listener, logger, signal } = this.#options;
    const { partition, messages } = payload.batch;
    const [first] = messages;
    if (first === undefined || payload.isStale()) return;
    if (listener.isDone?.(partition) === true) {
      this.#consumer.pause([{ topic, partitions: [partition] }]);
      return;
    }
    const at = listener.progress(partition);
    const soughtAt = this.#unverified.get(partition);
    if (soughtAt !== undefined && soughtAt !== at.next) {
      this.#seek(partition); // what was held up then, by a schema that was awaited, was folded since
      return;
    }
    if (soughtAt !== undefined || Number(first.offset) < at.next) {
      const last = messages.find(({ offset }) => Number(offset) === at.next - 1);
      if (last === undefined && soughtAt === undefined) {
        this.#seek(partition);
        await this.lookAtEnds();
        return;
      }
      if (last === undefined || commitOf(last) !== at.lastCommit) {
        this.#diverged(partition, 'another record lies there now');
        this.seekAll();
        return;
      }
      this.#unverified.delete(partition);
    }
    if (soughtAt === undefined && at.next > 0 && this.#leaders.isNew(partition, first)) {
      this.#seek(partition);
      return;
    }
    if (Number(first.offset) <= at.next) {
      this.#leaders.onRead(partition, messages);
      await listener.onRecords(partition, messages);
      await payload.heartbeat();
    }
    const { next } = listener.progress(partition);
    if (Number(first.offset) <= next) {
      if (this.#gapPausesMs.delete(partition)) listener.onWaiting?.(partition, undefined);
      return;
    }
    // Fetched before a restart at 0, or a hole in the log: folding it would diverge from every other reader.
    const pauseMs = this.#gapPausesMs.get(partition) ?? GAP_PAUSE_MS_MIN;
    logger.error(
      { topic, partition, next, offset: first.offset, pauseMs },
      'records ahead of the fold; read again',
    );
    listener.onWaiting?.(partition, `offset ${String(next)}, which the log passes over`);
    await pause(pauseMs, undefined, { signal }).catch(() => undefined);
    this.#gapPausesMs.set(partition, Math.min(pauseMs * 2, GAP_PAUSE_MS_MAX));
    if (this.#unverified.has(partition))
      this.#seek(partition); // it joined again meanwhile
    else this.#consumer.seek({ topic, partition, offset: String(next) });
  }

  /** Goes to the last record that was folded. */
  #seek(partition: number): void {
    const { topic, listener } = this.#options;
    const { next } = listener.progress(partition);
    if (next > 0) this.#unverified.set(partition, next);
    this.#consumer.seek({ topic, partition, offset: String(Math.max(0, next - 1)) });
  }

  #diverged(partition: number, what: string): void {
    const { topic, listener, logger } = this.#options;
    const { next } = listener.progress(partition);
    logger.error(
      { topic, partition, next, what },
      'the log was cut under this reader; it drops its state and replays',
    );
    this.#unverified.clear();
    this.#gapPausesMs.clear();
    listener.onDiverged(`${topic}/${String(partition)}@${String(next - 1)} is not what was folded: ${what}`);
  }
}

/** Connects the consumer and reads with it until it ends. */
export async function readTopic(consumer: Consumer, options: TopicReaderOptions): Promise<void> {
  const reading = new Reading(consumer, options);
  await reading.compareWithEnds();
  consumer.on(consumer.events.GROUP_JOIN, () => {
    reading.seekAll();
    reading.lookAtEnds().catch(() => undefined); // the log is closed
  });
  await consumer.connect();
  await consumer.subscribe({ topic: options.topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: true,
    partitionsConsumedConcurrently: options.partitions,
    eachBatch: (payload) => reading.onBatch(payload),
  });
}

import type { Logger } from 'pino';
import { KafkaTransport } from '../kafka/transport.ts';
import { commitOf } from '../log/recorded-event.ts';
import type { RawRecord, TopicListener, Transport } from '../log/transport.ts';
import type { LogFileSummary } from './format.ts';
import { writeLogFile, type OnLogRecords } from './write-log.ts';

export interface ExportOptions {
  readonly clientId: string;
  /** host:port of a broker. */
  readonly bootstrap: string;
  /** Base URL of the registry's Confluent-compatible API. */
  readonly registryUrl: string;
  readonly topics: readonly { readonly name: string; readonly partitions: number }[];
  /** Where the file is to be; it appears there when it is whole. */
  readonly path: string;
  /** Where it comes from, for a human. */
  readonly note: string;
  readonly logger: Logger;
  readonly signal?: AbortSignal;
}

type Ends = ReadonlyMap<string, readonly number[]>;

/** Reads one topic up to its ends. Records are told one batch at a time, those of a partition in order. */
class Sweep implements TopicListener {
  readonly done: Promise<void>;
  readonly #topic: string;
  readonly #ends: readonly number[];
  readonly #next: number[];
  readonly #lastCommits: (string | undefined)[] = [];
  readonly #onRecords: OnLogRecords;
  readonly #finished = Promise.withResolvers<undefined>();
  #queue: Promise<void> = Promise.resolve();

  constructor(topic: string, ends: readonly number[], onRecords: OnLogRecords) {
    this.#topic = topic;
    this.#ends = ends;
    this.#next = ends.map(() => 0);
    this.#onRecords = onRecords;
    this.done = this.#finished.promise;
    this.done.catch(() => undefined); // it may fail before anybody waits for it
    this.#settle();
  }

  progress(partition: number): { readonly next: number; readonly lastCommit: string | undefined } {
    return { next: this.#next[partition] ?? 0, lastCommit: this.#lastCommits[partition] };
  }

  onRecords(partition: number, records: readonly RawRecord[]): Promise<void> {
    // Partitions are delivered concurrently, a file is written in one order.
    this.#queue = this.#queue.then(() => this.#take(partition, records));
    return this.#queue.catch((error: unknown) => {
      this.#finished.reject(error);
    });
  }

  onDiverged(detail: string): void {
    this.#finished.reject(new Error(`the log was cut while it was exported: ${detail}`));
  }

  async #take(partition: number, records: readonly RawRecord[]): Promise<void> {
    const next = this.#next[partition] ?? 0;
    const end = this.#ends[partition] ?? 0;
    const due = records.filter(({ offset }) => Number(offset) >= next && Number(offset) < end);
    const last = due.at(-1);
    if (last === undefined) return;
    await this.#onRecords(this.#topic, partition, due);
    this.#next[partition] = Number(last.offset) + 1;
    this.#lastCommits[partition] = commitOf(last);
    this.#settle();
  }

  #settle(): void {
    if (this.#ends.every((end, partition) => (this.#next[partition] ?? 0) >= end))
      this.#finished.resolve(undefined);
  }
}

async function withTransport<T>(
  options: ExportOptions,
  work: (transport: Transport) => Promise<T>,
): Promise<T> {
  const transport = new KafkaTransport(options);
  try {
    await transport.connect(options.topics, options.signal ?? new AbortController().signal);
    return await work(transport);
  } finally {
    await transport.close();
  }
}

/** Reads every topic up to its end, one topic after another, on a connection of its own. */
const readTo = (options: ExportOptions, ends: Ends, onRecords: OnLogRecords): Promise<void> =>
  withTransport(options, async (transport) => {
    for (const [topic, topicEnds] of ends) {
      const sweep = new Sweep(topic, topicEnds, onRecords);
      await transport.read(topic, sweep);
      await sweep.done;
    }
  });

/**
 * Writes what Kafka holds of some topics now to one file, byte for byte. What is appended meanwhile is left out.
 * @throws Error when the log is cut meanwhile.
 */
export const exportKafkaLog = (options: ExportOptions): Promise<LogFileSummary> =>
  withTransport(options, async (transport) => {
    const ends = new Map<string, readonly number[]>();
    for (const { name } of options.topics) ends.set(name, await transport.endOffsets(name));
    return writeLogFile({
      path: options.path,
      createdAt: new Date().toISOString(),
      note: options.note,
      topics: Object.fromEntries(options.topics.map(({ name, partitions }) => [name, { partitions }])),
      schemas: transport.schemas,
      each: (onRecords) => readTo(options, ends, onRecords),
    });
  });

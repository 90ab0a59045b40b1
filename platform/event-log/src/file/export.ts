import type { Logger } from 'pino';
import { decodeCommitHeader, fromKey } from '../arbitration/commit-header.ts';
import { logHeaders } from '../headers.ts';
import { KafkaTransport } from '../kafka/transport.ts';
import type { RawRecord, TopicListener, Transport } from '../log/transport.ts';
import type { LogFileSummary } from './format.ts';
import { LogFileWriter } from './writer.ts';

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
type OnRecords = (topic: string, partition: number, records: readonly RawRecord[]) => Promise<void>;

const PREFIX_BYTES = 5;

/** Reads one topic up to its ends. Records are told one batch at a time, those of a partition in order. */
class Sweep implements TopicListener {
  readonly done: Promise<void>;
  readonly #topic: string;
  readonly #ends: readonly number[];
  readonly #next: number[];
  readonly #lastCommits: (string | undefined)[] = [];
  readonly #onRecords: OnRecords;
  readonly #finished = Promise.withResolvers<undefined>();
  #queue: Promise<void> = Promise.resolve();

  constructor(topic: string, ends: readonly number[], onRecords: OnRecords) {
    this.#topic = topic;
    this.#ends = ends;
    this.#next = ends.map(() => 0);
    this.#onRecords = onRecords;
    this.done = this.#finished.promise;
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
    const header = decodeCommitHeader(last.headers?.[logHeaders.commit]);
    this.#next[partition] = Number(last.offset) + 1;
    this.#lastCommits[partition] = header === undefined ? undefined : fromKey(header.commit);
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
const readTo = (options: ExportOptions, ends: Ends, onRecords: OnRecords): Promise<void> =>
  withTransport(options, async (transport) => {
    for (const [topic, topicEnds] of ends) {
      const sweep = new Sweep(topic, topicEnds, onRecords);
      await transport.read(topic, sweep);
      await sweep.done;
    }
  });

/**
 * Writes what Kafka holds of some topics now to one file, byte for byte. Reads the log twice: first for the schema
 * ids, which stand before the records in the file, then for the records. What is appended meanwhile is left out.
 * @throws Error when the log is cut meanwhile.
 */
export async function exportKafkaLog(options: ExportOptions): Promise<LogFileSummary> {
  const ends = await withTransport(options, async (transport) => {
    const found: (readonly [string, readonly number[]])[] = [];
    for (const { name } of options.topics) found.push([name, await transport.endOffsets(name)]);
    return new Map(found);
  });
  const ids = new Set<number>();
  await readTo(options, ends, (_topic, _partition, records) => {
    for (const { value } of records)
      if (value !== null && value.length >= PREFIX_BYTES && value[0] === 0) ids.add(value.readUInt32BE(1));
    return Promise.resolve();
  });
  const schemas: Record<string, object> = {};
  await withTransport(options, async (transport) => {
    for (const id of [...ids].sort((a, b) => a - b)) {
      const schema = await transport.schemas.fetch(id);
      if (schema !== undefined) schemas[String(id)] = schema;
    }
  });
  const writer = await LogFileWriter.create(options.path, {
    createdAt: new Date().toISOString(),
    note: options.note,
    topics: Object.fromEntries(options.topics.map(({ name, partitions }) => [name, { partitions }])),
    schemas,
  });
  try {
    await readTo(options, ends, (topic, partition, records) => writer.write(topic, partition, records));
    return await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

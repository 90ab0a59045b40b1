/** A log to be read from outside: bounded, repeatable, without a trace left in it. Two adapters: Kafka and a file. */
import type { RawRecord, SchemaStore } from '@parley/event-log/tools';

/** Which records of a topic, by partition: `from` included, `to` excluded. `Infinity` follows the log. */
export interface ReadRange {
  readonly topic: string;
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** Records of one partition, dense and in order. The next ones of that partition come when it has resolved. */
export type OnRecords = (partition: number, records: readonly RawRecord[]) => Promise<void> | void;

export interface LogSource {
  /** For people: where the log is. */
  readonly name: string;
  readonly schemas: SchemaStore;
  /** The version of a schema under its subject (its full name); undefined when nobody keeps versions here. */
  versionOf(schemaId: number, subject: string): Promise<number | undefined>;
  /** Every topic there is, by name, with its number of partitions. */
  topics(): Promise<ReadonlyMap<string, number>>;
  /** By partition; empty when there is no such topic. */
  endOffsets(topic: string): Promise<readonly number[]>;
  /** By partition, the first offset whose record is later than this time (milliseconds since the epoch), or the end. */
  offsetsAfter(topic: string, timeMs: number): Promise<readonly number[]>;
  /** Resolves when everything of the range was delivered, or when aborted. Rejects when it cannot be. */
  read(range: ReadRange, onRecords: OnRecords, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Zero for each partition. */
export const fromBegin = (ends: readonly number[]): number[] => ends.map(() => 0);

/** Records in a range that has an end. */
export const sizeOf = (from: readonly number[], to: readonly number[]): number =>
  to.reduce((sum, end, partition) => sum + Math.max(0, end - (from[partition] ?? 0)), 0);

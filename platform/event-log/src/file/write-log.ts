/** A whole log to one file, wherever its records are read from. */
import type { Buffer } from 'node:buffer';
import type { SchemaStore } from '../avro/codec.ts';
import type { RawRecord } from '../log/transport.ts';
import type { LogFileSummary } from './format.ts';
import { LogFileWriter } from './writer.ts';

/** Told the records of a log, one batch after another, those of a partition in order. */
export type OnLogRecords = (
  topic: string,
  partition: number,
  records: readonly RawRecord[],
) => Promise<void> | void;

export interface LogToWrite {
  /** Where the file is to be; it appears there when it is whole. */
  readonly path: string;
  /** ISO 8601. */
  readonly createdAt: string;
  /** Where it comes from, for a human. */
  readonly note: string;
  readonly topics: Readonly<Record<string, { readonly partitions: number }>>;
  readonly schemas: Pick<SchemaStore, 'fetch'>;
  /** Reads all of it, the same both times that it is called. */
  readonly each: (onRecords: OnLogRecords) => Promise<void>;
}

const PREFIX_BYTES = 5;

const schemaIdOf = (value: Buffer | null): number | undefined =>
  value === null || value.length < PREFIX_BYTES || value[0] !== 0 ? undefined : value.readUInt32BE(1);

/** Reads the log twice: the file's header holds the schemas, and which are needed only the records tell. */
export async function writeLogFile(log: LogToWrite): Promise<LogFileSummary> {
  const ids = new Set<number>();
  await log.each((_topic, _partition, records) => {
    for (const { value } of records) {
      const id = schemaIdOf(value);
      if (id !== undefined) ids.add(id);
    }
  });
  const schemas: Record<string, object> = {};
  for (const id of [...ids].sort((a, b) => a - b)) {
    const schema = await log.schemas.fetch(id); // undefined: a bad record that names no schema; it stays bad
    if (schema !== undefined) schemas[String(id)] = schema;
  }
  const { path, createdAt, note, topics } = log;
  const writer = await LogFileWriter.create(path, { createdAt, note, topics, schemas });
  try {
    await log.each((topic, partition, records) => writer.write(topic, partition, records));
    return await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

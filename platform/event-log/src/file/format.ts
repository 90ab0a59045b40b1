/**
 * A log in one portable file: UTF-8, one JSON document a line. First the header, then one line a record, then the
 * trailer. Bytes are base64, so what lay on the wire comes back bit for bit; a null key, value or header stays null.
 *
 *     {"format":"parley-log","version":1,"createdAt":…,"note":…,"topics":{NAME:{"partitions":4}},"schemas":{ID:{…}}}
 *     {"topic":NAME,"partition":0,"offset":0,"timestamp":"1700000000000","key":…,"value":…,"headers":[[NAME,…],…]}
 *     {"end":true,"counts":{NAME:[1,0,0,0]},"sha256":HEX}
 *
 * Offsets of a partition begin at 0 and are dense; partitions may be interleaved. The checksum covers every byte
 * before the trailer. A number of a record that may exceed 2^53 (the timestamp) is text.
 */
import { Buffer } from 'node:buffer';
import type { RawRecord } from '../log/transport.ts';

export const LOG_FILE_FORMAT = 'parley-log';
export const LOG_FILE_VERSION = 1;
/** Bytes of one line, its newline included. A broker takes records of 1 MiB by default, which is 1.4 MiB here. */
export const LOG_FILE_MAX_LINE_BYTES = 32 * 1024 * 1024;

export interface LogFileHeader {
  /** ISO 8601; when the file was made. */
  readonly createdAt: string;
  /** Where it comes from, for a human. */
  readonly note: string;
  readonly topics: Readonly<Record<string, { readonly partitions: number }>>;
  /** The schemas that the records' ids mean in this file. An id without schema is unknown here as it was there. */
  readonly schemas: Readonly<Record<string, object>>;
}

/** A record and where it lies. */
export interface LogFileRecord {
  readonly topic: string;
  readonly partition: number;
  readonly record: RawRecord;
}

/** What a whole file holds, once it was read to its end and its checksum is right. */
export interface LogFileSummary {
  readonly header: LogFileHeader;
  /** Records by topic and partition: also the end offsets. */
  readonly counts: Readonly<Record<string, readonly number[]>>;
  readonly records: number;
  /** Lower-case hexadecimal, over every byte before the trailer. */
  readonly sha256: string;
}

/** A line that does not mean what it should; the reader adds path and line number. */
export class BadLine extends Error {
  override readonly name = 'BadLine';
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const toText = (bytes: Buffer | string | null | undefined): string | null =>
  bytes === null || bytes === undefined ? null : Buffer.from(bytes).toString('base64');

const toBytes = (text: unknown, what: string): Buffer | null => {
  if (text === null) return null;
  if (typeof text !== 'string' || !BASE64.test(text)) throw new BadLine(`${what} is not base64`);
  return Buffer.from(text, 'base64');
};

export const headerLine = (header: LogFileHeader): string => {
  const { createdAt, note, topics, schemas } = header;
  return `${JSON.stringify({ format: LOG_FILE_FORMAT, version: LOG_FILE_VERSION, createdAt, note, topics, schemas })}\n`;
};

export const recordLine = (topic: string, partition: number, record: RawRecord): string => {
  const headers = Object.entries(record.headers ?? {}).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => [name, toText(one)]),
  );
  const { offset, timestamp } = record;
  const [key, value] = [toText(record.key), toText(record.value)];
  return `${JSON.stringify({ topic, partition, offset: Number(offset), timestamp, key, value, headers })}\n`;
};

export const trailerLine = (counts: LogFileSummary['counts'], sha256: string): string =>
  `${JSON.stringify({ end: true, counts, sha256 })}\n`;

/** What the first line says: the header, or that this is another format or another version of it. */
export type FirstLine =
  | { readonly kind: 'header'; readonly header: LogFileHeader }
  | { readonly kind: 'foreign' }
  | { readonly kind: 'newer'; readonly version: number };

/** @throws BadLine when it is ours and does not mean anything. */
export function parseFirstLine(line: string): FirstLine {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return { kind: 'foreign' };
  }
  if (!isObject(parsed) || parsed.format !== LOG_FILE_FORMAT) return { kind: 'foreign' };
  const { version, createdAt, note, topics, schemas } = parsed;
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1)
    throw new BadLine('the header has no version');
  if (version > LOG_FILE_VERSION) return { kind: 'newer', version };
  if (typeof createdAt !== 'string' || typeof note !== 'string')
    throw new BadLine('createdAt and note must be text');
  if (!isObject(topics)) throw new BadLine('topics must be an object');
  const checked = Object.entries(topics).map(([name, topic]) => {
    const partitions = isObject(topic) ? topic.partitions : undefined;
    if (typeof partitions !== 'number' || !Number.isInteger(partitions) || partitions < 1)
      throw new BadLine(`topic ${JSON.stringify(name)} has no number of partitions`);
    return [name, { partitions }] as const;
  });
  if (!isObject(schemas)) throw new BadLine('schemas must be an object');
  const known = Object.entries(schemas).map(([id, schema]) => {
    if (!/^\d{1,10}$/.test(id) || !isObject(schema))
      throw new BadLine(`schema ${JSON.stringify(id)} must be a decimal id and a JSON object`);
    return [id, schema] as const;
  });
  return {
    kind: 'header',
    header: { createdAt, note, topics: Object.fromEntries(checked), schemas: Object.fromEntries(known) },
  };
}

/** Any line behind the header. @throws BadLine when it is neither a record nor the trailer. */
export function parseLine(line: string):
  | { readonly kind: 'record'; readonly at: LogFileRecord }
  | {
      readonly kind: 'trailer';
      readonly counts: Readonly<Record<string, unknown>>;
      readonly sha256: string;
    } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    throw new BadLine('not JSON');
  }
  if (!isObject(parsed)) throw new BadLine('not a JSON object');
  if (parsed.end === true) {
    const { counts, sha256 } = parsed;
    if (!isObject(counts) || typeof sha256 !== 'string') throw new BadLine('a trailer without its fields');
    // One way only to write a trailer: no byte of it can change unnoticed, though the checksum does not cover it.
    if (JSON.stringify({ end: true, counts, sha256 }) !== line)
      throw new BadLine('a trailer that was altered');
    return { kind: 'trailer', counts, sha256 };
  }
  return { kind: 'record', at: parseRecord(parsed) };
}

function parseRecord(parsed: Readonly<Record<string, unknown>>): LogFileRecord {
  const { topic, partition, offset, timestamp, key, value, headers } = parsed;
  if (typeof topic !== 'string') throw new BadLine('a record without topic');
  if (typeof partition !== 'number') throw new BadLine('a record without partition');
  if (typeof offset !== 'number' || !Number.isSafeInteger(offset))
    throw new BadLine('a record without offset');
  if (typeof timestamp !== 'string' || !/^-?\d{1,19}$/.test(timestamp))
    throw new BadLine('a timestamp must be decimal text');
  if (!Array.isArray(headers)) throw new BadLine('headers must be a list');
  const record: RawRecord = {
    offset: String(offset),
    timestamp,
    key: toBytes(key, 'the key'),
    value: toBytes(value, 'the value'),
    headers: headersOf(headers),
  };
  return { topic, partition, record };
}

function headersOf(list: readonly unknown[]): NonNullable<RawRecord['headers']> {
  const headers = new Map<string, Buffer | null | (Buffer | null)[]>();
  for (const pair of list) {
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== 'string')
      throw new BadLine('a header must be a name and a value');
    const name = pair[0];
    const bytes = toBytes(pair[1], `the header ${JSON.stringify(name)}`);
    const before = headers.get(name);
    if (before === undefined) headers.set(name, bytes);
    else headers.set(name, Array.isArray(before) ? [...before, bytes] : [before, bytes]);
  }
  // kafkajs says that a header is never null, and hands out null for one that is: as it does, so do we.
  return Object.fromEntries(headers) as NonNullable<RawRecord['headers']>;
}

import { Buffer } from 'node:buffer';
import { decodeCommitHeader, fromKey, type CommitHeader } from '../arbitration/commit-header.ts';
import { logHeaders } from '../headers.ts';
import { eventIdOfKey } from '../ids.ts';
import type { DomainEvent, LogPosition, RecordedEvent } from '../ports.ts';
import type { RawRecord } from './transport.ts';

/** A header as it lies in the record. */
const headerOf = (raw: RawRecord, name: string): unknown =>
  raw.header === undefined ? raw.headers?.[name] : raw.header(name);

/** A header as text; undefined when absent or not a single value. */
export function headerText(raw: RawRecord, name: string): string | undefined {
  const value = headerOf(raw, name);
  if (Buffer.isBuffer(value)) return value.toString('utf8');
  return typeof value === 'string' ? value : undefined;
}

/** Undefined for a record that has no valid commit header. */
export const commitHeaderOf = (record: RawRecord): CommitHeader | undefined =>
  decodeCommitHeader(headerOf(record, logHeaders.commit));

/** The id of the commit that a record belongs to; undefined when it is no commit's. */
export function commitOf(record: RawRecord): string | undefined {
  const header = commitHeaderOf(record);
  return header === undefined ? undefined : fromKey(header.commit);
}

/** Reads headers and derives ids only when asked: replay does not pay for what a fold does not use. */
export class LazyRecordedEvent<E extends DomainEvent> implements RecordedEvent<E> {
  readonly event: E;
  readonly streamId: string;
  readonly #topic: string;
  readonly #partition: number;
  readonly #raw: RawRecord;
  readonly #header: CommitHeader;

  constructor(
    event: E,
    streamId: string,
    at: { topic: string; partition: number },
    raw: RawRecord,
    header: CommitHeader,
  ) {
    this.event = event;
    this.streamId = streamId;
    this.#topic = at.topic;
    this.#partition = at.partition;
    this.#raw = raw;
    this.#header = header;
  }

  get version(): number {
    return this.#header.base + this.#header.index + 1;
  }
  get position(): LogPosition {
    return { topic: this.#topic, partition: this.#partition, offset: Number(this.#raw.offset) };
  }
  get commitId(): string {
    return fromKey(this.#header.commit);
  }
  get eventId(): string {
    return eventIdOfKey(this.#header.commit, this.#header.index);
  }
  get recordedAtMs(): number {
    const time = Date.parse(headerText(this.#raw, logHeaders.time) ?? '');
    return Number.isNaN(time) ? Number(this.#raw.timestamp) : time;
  }
  get correlationId(): string {
    return headerText(this.#raw, logHeaders.correlationId) ?? this.commitId;
  }
  get causationId(): string | undefined {
    return headerText(this.#raw, logHeaders.causationId);
  }
  get traceparent(): string | undefined {
    return headerText(this.#raw, logHeaders.traceparent);
  }
}

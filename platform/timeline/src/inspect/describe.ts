/** What a record says about itself, as plain data. */
import { logHeaders } from '@parley/event-log';
import { eventIdOf, fromKey, headerText, type RawRecord } from '@parley/event-log/tools';
import type { Inspected, OtherCommit, RecordVerdict } from './inspector.ts';

/** A record as `npm run log` tells it, in tables and in JSON. Undefined is left out of JSON. */
export interface RecordInfo {
  /** `topic/partition@offset` */
  readonly position: string;
  /** ISO 8601: when the event was recorded, else when the broker got it. */
  readonly time: string;
  readonly type: string | undefined;
  readonly stream: string | undefined;
  /** The stream's version after this event, if it was accepted. */
  readonly version: number | undefined;
  readonly verdict: RecordVerdict;
  readonly why: string;
  readonly other: OtherCommit | undefined;
  readonly eventId: string | undefined;
  readonly commitId: string | undefined;
  /** `2/3`: the second of three events of its commit. */
  readonly inCommit: string | undefined;
  readonly source: string | undefined;
  readonly correlationId: string | undefined;
  readonly causationId: string | undefined;
  readonly traceparent: string | undefined;
  readonly data: object | undefined;
}

/** Milliseconds since the epoch: ce_time, else the record's own timestamp. */
export function timeOf(raw: RawRecord): number {
  const time = Date.parse(headerText(raw, logHeaders.time) ?? '');
  return Number.isNaN(time) ? Number(raw.timestamp) : time;
}

/** The event's id: derived from its commit, as every reader derives it; else what the record says. */
export const eventIdIn = ({ header, raw }: Pick<Inspected, 'header' | 'raw'>): string | undefined =>
  header === undefined ? headerText(raw, logHeaders.id) : eventIdOf(fromKey(header.commit), header.index);

const isoOf = (timeMs: number): string => {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? `${String(timeMs)} ms` : date.toISOString();
};

export function describe(record: Inspected): RecordInfo {
  const { topic, partition, offset, raw, header, event } = record;
  return {
    position: `${topic}/${String(partition)}@${String(offset)}`,
    time: isoOf(timeOf(raw)),
    type: event?.type ?? headerText(raw, logHeaders.type),
    stream: record.streamId,
    version: header === undefined ? undefined : header.base + header.index + 1,
    verdict: record.verdict,
    why: record.why,
    other: record.other,
    eventId: eventIdIn(record),
    commitId: header === undefined ? undefined : fromKey(header.commit),
    inCommit: header === undefined ? undefined : `${String(header.index + 1)}/${String(header.size)}`,
    source: headerText(raw, logHeaders.source),
    correlationId: headerText(raw, logHeaders.correlationId),
    causationId: headerText(raw, logHeaders.causationId),
    traceparent: headerText(raw, logHeaders.traceparent),
    data: event?.data,
  };
}

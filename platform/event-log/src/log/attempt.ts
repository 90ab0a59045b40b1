/** One attempt to append a commit: its records, and what the log says of it. */
import { Buffer } from 'node:buffer';
import { propagation, type Context } from '@opentelemetry/api';
import {
  COMMIT_HEADER_BYTES,
  encodeCommitHeader,
  type CommitHeader,
  type CommitKey,
} from '../arbitration/commit-header.ts';
import type { AvroCodec } from '../avro/codec.ts';
import { logHeaders } from '../headers.ts';
import { eventIdOfKey } from '../ids.ts';
import type { CommandMetadata, DomainEvent } from '../ports.ts';
import type { NewRecord } from './transport.ts';

/** What Kafka adds to a record besides key, value and header contents, rounded up. */
const RECORD_OVERHEAD_BYTES = 300;

export interface AttemptParts<E extends DomainEvent> {
  readonly streamId: string;
  readonly commit: CommitKey;
  readonly previous: CommitKey;
  readonly base: number;
  readonly history: number | undefined;
  readonly events: readonly E[];
  readonly metadata: CommandMetadata;
}

/** An attempt is named by its commit, what it was decided on, and what it says. */
export const attemptKey = (
  { commit, previous, base, history }: Pick<CommitHeader, 'commit' | 'previous' | 'base' | 'history'>,
  content: number,
): string => `${commit}${previous} ${base} ${history ?? ''} ${content}`;

let timeMs = Number.NaN;
let timeText = '';
/** Commits come many in a millisecond, and the text of a time takes as long as the rest of a header. */
function isoOf(ms: number): string {
  if (ms !== timeMs) {
    timeMs = ms;
    timeText = new Date(ms).toISOString();
  }
  return timeText;
}

/** Encodes the records of one attempt, with the trace context of the caller. */
export function recordsOf<E extends DomainEvent>(
  parts: AttemptParts<E>,
  codec: AvroCodec<E>,
  origin: { readonly source: string; readonly nowMs: number; readonly context: Context },
): { readonly records: readonly NewRecord[]; readonly bytes: number } {
  const { streamId, commit, previous, base, history, events, metadata } = parts;
  const carrier: Record<string, string> = {};
  if (metadata.causationId !== undefined) carrier[logHeaders.causationId] = metadata.causationId;
  propagation.inject(origin.context, carrier);
  const time = isoOf(origin.nowMs);
  let recordBytes = Buffer.byteLength(streamId) * 2 + COMMIT_HEADER_BYTES + RECORD_OVERHEAD_BYTES;
  recordBytes += origin.source.length + time.length + metadata.correlationId.length;
  for (const name in carrier) recordBytes += carrier[name]?.length ?? 0;
  let bytes = 0;
  const records = events.map((event, index): NewRecord => {
    const value = codec.encode(event);
    const header = { commit, previous, base, index, size: events.length, history };
    const headers = {
      [logHeaders.commit]: encodeCommitHeader(header), // first, as a reader looks for it first
      [logHeaders.specVersion]: '1.0',
      [logHeaders.source]: origin.source,
      [logHeaders.time]: time,
      [logHeaders.subject]: streamId,
      [logHeaders.correlationId]: metadata.correlationId,
      [logHeaders.id]: eventIdOfKey(commit, index),
      [logHeaders.type]: event.type,
      ...carrier,
    };
    bytes += value.length + recordBytes;
    return { key: streamId, value, headers };
  });
  return { records, bytes };
}

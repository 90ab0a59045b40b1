/** One attempt to append a commit: its records, and what the log says of it. */
import { Buffer } from 'node:buffer';
import { context, propagation } from '@opentelemetry/api';
import {
  COMMIT_HEADER_BYTES,
  encodeCommitHeader,
  fromKey,
  type CommitKey,
} from '../arbitration/commit-header.ts';
import type { AvroCodec } from '../avro/codec.ts';
import { logHeaders } from '../headers.ts';
import { eventIdOf } from '../ids.ts';
import type { CommandMetadata, DomainEvent } from '../ports.ts';
import type { NewRecord } from './transport.ts';

/** What Kafka adds to a record besides key, value and header contents, rounded up. */
const RECORD_OVERHEAD_BYTES = 200;

export interface AttemptParts<E extends DomainEvent> {
  readonly streamId: string;
  readonly commit: CommitKey;
  readonly previous: CommitKey;
  readonly base: number;
  readonly events: readonly E[];
  readonly metadata: CommandMetadata;
}

/** An attempt is named by its commit and predecessor: a loser and its successor attempt differ in the predecessor. */
export const attemptKey = (commit: CommitKey, previous: CommitKey): string => commit + previous;

/** Encodes the records of one attempt, with the trace context of the caller. */
export function recordsOf<E extends DomainEvent>(
  parts: AttemptParts<E>,
  codec: AvroCodec<E>,
  origin: { readonly source: string; readonly nowMs: number },
): { readonly records: readonly NewRecord[]; readonly bytes: number } {
  const commitId = fromKey(parts.commit);
  const shared: Record<string, string> = {
    [logHeaders.specVersion]: '1.0',
    [logHeaders.source]: origin.source,
    [logHeaders.time]: new Date(origin.nowMs).toISOString(),
    [logHeaders.subject]: parts.streamId,
    [logHeaders.correlationId]: parts.metadata.correlationId,
  };
  if (parts.metadata.causationId !== undefined) shared[logHeaders.causationId] = parts.metadata.causationId;
  propagation.inject(context.active(), shared);
  let recordBytes = Buffer.byteLength(parts.streamId) + COMMIT_HEADER_BYTES + RECORD_OVERHEAD_BYTES;
  for (const text of Object.values(shared)) recordBytes += text.length;
  let bytes = 0;
  const records = parts.events.map((event, index): NewRecord => {
    const value = codec.encode(event);
    const headers: Record<string, Buffer | string> = {
      ...shared,
      [logHeaders.id]: eventIdOf(commitId, index),
      [logHeaders.type]: event.type,
      [logHeaders.commit]: encodeCommitHeader({
        commit: parts.commit,
        previous: parts.previous,
        base: parts.base,
        index,
        size: parts.events.length,
      }),
    };
    bytes += value.length + recordBytes;
    return { key: parts.streamId, value, headers };
  });
  return { records, bytes };
}

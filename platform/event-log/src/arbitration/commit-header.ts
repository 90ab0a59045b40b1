/**
 * The binary header that every record of a commit carries, 44 bytes, big-endian:
 * commit id [16], previous commit id [16, zero for none], base version u32, index u16, size u16, history i32.
 *
 * Without the last field (40 bytes) the history is not compared: so wrote releases up to 1.1.0, and so writes whoever
 * knows only the id of the commit before.
 */
import { Buffer } from 'node:buffer';
import { crc32 } from 'node:zlib';
import { uuidFromLatin1, uuidToLatin1 } from '../ids.ts';

export const COMMIT_HEADER_BYTES = 44;
const WITHOUT_HISTORY_BYTES = 40;
/** Of the Confluent wire format: a zero and the schema's id. */
const WIRE_PREFIX_BYTES = 5;
/** Most events in one commit, as `size` is a u16. */
export const MAX_COMMIT_EVENTS = 0xffff;

/** A commit id as a 16-character string of its bytes: compact, and a fast map key. Empty for none. */
export type CommitKey = string;

export interface CommitHeader {
  readonly commit: CommitKey;
  /** Empty when the commit was decided on an empty stream. */
  readonly previous: CommitKey;
  readonly base: number;
  readonly index: number;
  readonly size: number;
  /** Of the stream that the commit was decided on: see `historyAfter`. Undefined: any. */
  readonly history: number | undefined;
}

/** The history of a stream without commits. */
export const NO_HISTORY = 0;
const FNV_PRIME = 0x01000193;

/** What `valueDigest` begins with: of the full name of the schema that the value was written with. */
export const nameDigest = (fullName: string): number => crc32(fullName);

/**
 * Of a record, for `contentOf`: the CRC-32 of its schema's full name and its value. The schema's id in front of the value
 * is left out, since a log that is carried to another registry has other ids and must come to the same verdicts; the name
 * is not, since events of two types may have one layout.
 */
export const valueDigest = (value: Buffer | null, name: number): number =>
  value === null ? 0 : crc32(value.subarray(WIRE_PREFIX_BYTES), name);

/** A digest of what a commit says: of the digests of its values, in order. */
export function contentOf(valueDigests: readonly number[]): number {
  let digest = valueDigests.length;
  for (const value of valueDigests) digest = Math.imul(digest ^ value, FNV_PRIME);
  return digest;
}

/**
 * A digest (FNV-1a, 32 bits, signed) of the accepted commits of a stream, in order: of their ids and contents. One
 * command may be attempted twice under one commit id, by two processes, on two states or at two times; what was chained
 * on one attempt must not be accepted on the other, and ids and versions alone can be the same for both.
 */
export function historyAfter(history: number, commit: CommitKey, content: number): number {
  let digest = history;
  for (let at = 0; at < commit.length; at++) digest = Math.imul(digest ^ commit.charCodeAt(at), FNV_PRIME);
  return Math.imul(digest ^ content, FNV_PRIME);
}

const NONE = '\0'.repeat(16);

/** Undefined when the id is not a UUID, or the nil UUID, which stands for no commit. */
export function keyOf(uuid: string): CommitKey | undefined {
  const key = uuidToLatin1(uuid);
  return key === NONE ? undefined : key;
}

/** As `keyOf`. @throws TypeError instead. */
export function toKey(uuid: string): CommitKey {
  const key = keyOf(uuid);
  if (key === undefined) throw new TypeError(`not the UUID of a commit: ${uuid.slice(0, 64)}`);
  return key;
}

/** Never throws: what lies in a header may be any 16 bytes. */
export const fromKey = (key: CommitKey): string => uuidFromLatin1(key);

export function encodeCommitHeader(header: CommitHeader): Buffer {
  const { history } = header;
  const bytes = Buffer.allocUnsafe(history === undefined ? WITHOUT_HISTORY_BYTES : COMMIT_HEADER_BYTES);
  bytes.write(header.commit, 0, 'latin1');
  bytes.write(header.previous === '' ? NONE : header.previous, 16, 'latin1');
  bytes.writeUInt32BE(header.base, 32);
  bytes.writeUInt16BE(header.index, 36);
  bytes.writeUInt16BE(header.size, 38);
  if (history !== undefined) bytes.writeInt32BE(history, 40);
  return bytes;
}

/** Undefined when the bytes are no commit header: wrong length, no id, or an index outside the commit. */
export function decodeCommitHeader(bytes: unknown): CommitHeader | undefined {
  if (!Buffer.isBuffer(bytes)) return undefined;
  if (bytes.length !== COMMIT_HEADER_BYTES && bytes.length !== WITHOUT_HISTORY_BYTES) return undefined;
  const index = bytes.readUInt16BE(36);
  const size = bytes.readUInt16BE(38);
  const commit = bytes.toString('latin1', 0, 16);
  if (index >= size || commit === NONE) return undefined;
  const previous = bytes.toString('latin1', 16, 32);
  return {
    commit,
    previous: previous === NONE ? '' : previous,
    base: bytes.readUInt32BE(32),
    index,
    size,
    history: bytes.length === COMMIT_HEADER_BYTES ? bytes.readInt32BE(40) : undefined,
  };
}

import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';

/** Parley's own UUIDv5 namespace; a contract, since derived ids are compared across processes and releases. */
const NAMESPACE = uuidBytes('b6f1a1de-5c0a-5d43-9d0e-0f5a3f0c7c11');
const UUID_BYTES = 16;

/** The 16 bytes of a UUID, of whatever version; fewer when the text is none. */
export function uuidBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}

/** The text of a UUID from its 16 bytes in hexadecimal. */
export const uuidText = (hex: string): string =>
  `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;

/** RFC 9562, section 5.5. Made once per recorded event, so without the detours of a general library. */
function uuidV5(name: string, namespace: Buffer): string {
  const bytes = Buffer.from(hash('sha1', Buffer.concat([namespace, Buffer.from(name)]), 'buffer'));
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return uuidText(bytes.toString('hex', 0, UUID_BYTES));
}

/**
 * A UUIDv5 of the given parts: the same parts give the same id in every process, for ever. Parts are separated by an
 * unambiguous length prefix, so `('a', 'bc')` and `('ab', 'c')` differ.
 */
export const deriveId = (...parts: readonly string[]): string =>
  uuidV5(parts.map((part) => `${part.length}:${part}`).join(''), NAMESPACE);

/** The id of the event at `index` of a commit. */
export const eventIdOf = (commitId: string, index: number): string =>
  uuidV5(String(index), uuidBytes(commitId));

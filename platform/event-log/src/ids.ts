import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';

const UUID_BYTES = 16;
const DASH = 0x2d;
const NOT_HEX = 0xff;
/** The value of a hexadecimal digit, by its character code. */
const HEX = Uint8Array.from({ length: 128 }, (_, code) => {
  const value = parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(value) ? NOT_HEX : value;
});
/** Bits 10 in front of the lower two bits of a digit: the variant of RFC 9562. */
const VARIANTS = '89ab89ab89ab89ab';
/** Ids are made and read several times per append, so without a buffer for each: filled and read in one step. */
const scratch = Buffer.alloc(UUID_BYTES);

/** The 16 bytes of a UUID, one character each, as a compact map key. Undefined when the text is no UUID. */
export function uuidToLatin1(uuid: string): string | undefined {
  if (uuid.length !== 36) return undefined;
  let at = 0;
  for (let index = 0; index < UUID_BYTES; index++) {
    if (index === 4 || index === 6 || index === 8 || index === 10) {
      if (uuid.charCodeAt(at++) !== DASH) return undefined;
    }
    const high = HEX[uuid.charCodeAt(at++)] ?? NOT_HEX;
    const low = HEX[uuid.charCodeAt(at++)] ?? NOT_HEX;
    if (high === NOT_HEX || low === NOT_HEX) return undefined;
    scratch[index] = (high << 4) | low;
  }
  return scratch.toString('latin1');
}

/** The text of a UUID from its 16 bytes, one character each. */
export function uuidFromLatin1(bytes: string): string {
  scratch.fill(0);
  scratch.write(bytes, 'latin1');
  return uuidText(scratch.toString('hex'));
}

const uuidText = (hex: string): string =>
  `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;

/** RFC 9562, section 5.5, of the namespace's bytes followed by the name's. */
function uuidV5(bytes: Buffer): string {
  const hex = hash('sha1', bytes);
  const variant = VARIANTS[HEX[hex.charCodeAt(16)] ?? 0] ?? '';
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Parley's own UUIDv5 namespace; a contract, since derived ids are compared across processes and releases. */
const NAMESPACE = Buffer.from('b6f1a1de5c0a5d439d0e0f5a3f0c7c11', 'hex');

/**
 * A UUIDv5 of the given parts: the same parts give the same id in every process, for ever. Parts are separated by an
 * unambiguous length prefix, so `('a', 'bc')` and `('ab', 'c')` differ.
 */
export const deriveId = (...parts: readonly string[]): string =>
  uuidV5(Buffer.concat([NAMESPACE, Buffer.from(parts.map((part) => `${part.length}:${part}`).join(''))]));

/** A commit id and one digit: nearly every event is among the first ten of its commit. */
const firstTen = Buffer.alloc(UUID_BYTES + 1);

/** The id of the event at `index` of a commit. @throws TypeError when the commit's id is not a UUID. */
export function eventIdOf(commitId: string, index: number): string {
  const commit = uuidToLatin1(commitId);
  if (commit === undefined) throw new TypeError(`not a UUID: ${commitId.slice(0, 64)}`);
  return eventIdOfKey(commit, index);
}

/** As `eventIdOf`, of the 16 bytes of a commit's id, one character each. */
export function eventIdOfKey(commit: string, index: number): string {
  if (index > 9) return uuidV5(Buffer.from(commit + String(index), 'latin1'));
  firstTen.write(commit, 'latin1');
  firstTen[UUID_BYTES] = 0x30 + index;
  return uuidV5(firstTen);
}

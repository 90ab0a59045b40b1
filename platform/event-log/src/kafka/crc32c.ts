/**
 * CRC-32C (RFC 3720, appendix B.4), four bytes a step: kafkajs goes byte by byte over every batch that it sends, and
 * Node has only the other CRC-32.
 */
import type { Buffer } from 'node:buffer';

/** The polynomial of Castagnoli, bits reversed. */
const POLYNOMIAL = 0x82f63b78;

function tableOf(previous: Int32Array | undefined, first: Int32Array): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => {
    if (previous === undefined) {
      let crc = byte;
      for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL;
      return crc;
    }
    const crc = previous[byte] ?? 0;
    return (crc >>> 8) ^ (first[crc & 0xff] ?? 0);
  });
}

const T0 = tableOf(undefined, new Int32Array());
const T1 = tableOf(T0, T0);
const T2 = tableOf(T1, T0);
const T3 = tableOf(T2, T0);

/** As an unsigned number. */
export function crc32c(bytes: Buffer): number {
  let crc = -1;
  let at = 0;
  for (const end = bytes.length & ~3; at < end; at += 4) {
    crc ^= bytes.readInt32LE(at);
    crc =
      (T3[crc & 0xff] ?? 0) ^
      (T2[(crc >>> 8) & 0xff] ?? 0) ^
      (T1[(crc >>> 16) & 0xff] ?? 0) ^
      (T0[crc >>> 24] ?? 0);
  }
  for (; at < bytes.length; at++) crc = (T0[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}

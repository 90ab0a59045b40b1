import { expect, it } from 'vitest';
import { ByteSink, UnpackedTooLarge } from './byte-sink.ts';
import { unpackLz4 } from './lz4.ts';
import { unpackSnappy } from './snappy.ts';

const lz4Frame = (...block: number[]): Buffer => {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(block.length);
  return Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0, ...size, ...block, 0, 0, 0, 0]);
};
const a = 'a'.charCodeAt(0);

it('a repetition that overlaps what it writes is unpacked, by both', () => {
  expect(unpackLz4(lz4Frame(0x14, a, 1, 0, 0x10, a), 100).toString()).toBe('a'.repeat(10));
  expect(unpackSnappy(Buffer.from([9, 0, a, (7 << 2) | 2, 1, 0]), 100).toString()).toBe('a'.repeat(9));
});

it('what would unpack to more than is allowed is refused before it is written', () => {
  const bomb = lz4Frame(0x1f, a, 1, 0, ...Array.from({ length: 1_000 }, () => 255), 0, 0x10, a);
  expect(() => unpackLz4(bomb, 1_000)).toThrow(UnpackedTooLarge);
  expect(unpackLz4(bomb, 1_000_000).length).toBe(255_000 + 21);
});

it.each([
  ['text', Buffer.from('not packed')],
  ['a frame that is cut', lz4Frame(0x50, a)],
  ['a repetition of nothing', lz4Frame(0x14, a, 0, 0, 0x10, a)],
  ['a repetition from before the start', lz4Frame(0x14, a, 9, 0, 0x10, a)],
])('what is no LZ4 is refused: %s', (_what, packed) => {
  expect(() => unpackLz4(packed, 1_000)).toThrow(RangeError);
});

it.each([
  ['literals that are cut', Buffer.from([3, 2 << 2, a])],
  ['a repetition from before the start', Buffer.from([4, 0, a, (3 << 2) | 2, 9, 0])],
  ['nothing', Buffer.alloc(0)],
])('what is no Snappy is refused: %s', (_what, packed) => {
  expect(() => unpackSnappy(packed, 1_000)).toThrow(RangeError);
});

it('bytes are kept when the sink grows', () => {
  const sink = new ByteSink(1_000_000);
  const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, n) => n % 251));
  for (let n = 0; n < 5; n += 1) sink.write(bytes, 0, bytes.length);
  expect(sink.bytes.equals(Buffer.concat(Array.from({ length: 5 }, () => bytes)))).toBe(true);
});

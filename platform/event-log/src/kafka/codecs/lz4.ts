/** LZ4 frames, as producers write them into Kafka batches. Checksums are not looked at: the batch has its own. */
import { ByteSink } from './byte-sink.ts';

const MAGIC = 0x184d2204;
const VERSION = 1;
const RAW = 0x80000000;
const MIN_MATCH = 4;

/** @throws RangeError for what is no LZ4 frame, UnpackedTooLarge */
export function unpackLz4(packed: Buffer, max: number): Buffer {
  const sink = new ByteSink(max);
  for (let at = 0; at < packed.length;) at = frame(packed, at, sink);
  return sink.bytes;
}

/** Answers where the frame ends. */
function frame(packed: Buffer, start: number, sink: ByteSink): number {
  if (packed.readUInt32LE(start) !== MAGIC) throw new RangeError('not an LZ4 frame');
  const flags = packed.readUInt8(start + 4);
  if (flags >> 6 !== VERSION) throw new RangeError('an LZ4 frame of another version');
  const has = (bit: number): boolean => (flags & (1 << bit)) !== 0;
  const [blockChecksum, contentSize, contentChecksum, dictionary] = [has(4), has(3), has(2), has(0)];
  if (dictionary) throw new RangeError('an LZ4 frame with a dictionary');
  let at = start + 6 + (contentSize ? 8 : 0) + 1;
  for (;;) {
    const word = packed.readUInt32LE(at);
    at += 4;
    if (word === 0) return at + (contentChecksum ? 4 : 0);
    const size = word >= RAW ? word - RAW : word;
    if (word >= RAW) sink.write(packed, at, size);
    else block(packed.subarray(at, at + size), sink);
    at += size + (blockChecksum ? 4 : 0);
  }
}

function block(bytes: Buffer, sink: ByteSink): void {
  let at = 0;
  const count = (nibble: number): number => {
    let sum = nibble;
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; sum += byte) byte = bytes.readUInt8(at++);
    return sum;
  };
  while (at < bytes.length) {
    const token = bytes.readUInt8(at++);
    const literals = count(token >> 4);
    sink.write(bytes, at, literals);
    at += literals;
    if (at >= bytes.length) return; // the last sequence has literals only
    const distance = bytes.readUInt16LE(at);
    at += 2;
    sink.repeat(distance, count(token & 0xf) + MIN_MATCH);
  }
}

/** Snappy as producers write it into Kafka batches: bare blocks (librdkafka), or in the frames of xerial's library (Java). */
import { ByteSink } from './byte-sink.ts';

const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
/** The mark and two versions. */
const XERIAL_HEADER_BYTES = 16;

/** @throws RangeError for what is not packed by Snappy, UnpackedTooLarge */
export function unpackSnappy(packed: Buffer, max: number): Buffer {
  const sink = new ByteSink(max);
  if (!packed.subarray(0, XERIAL.length).equals(XERIAL)) block(packed, sink);
  else
    for (let at = XERIAL_HEADER_BYTES; at < packed.length;) {
      const size = packed.readInt32BE(at);
      at += 4;
      if (size < 0 || at + size > packed.length) throw new RangeError('a Snappy frame ends too early');
      block(packed.subarray(at, at + size), sink);
      at += size;
    }
  return sink.bytes;
}

/** See https://github.com/google/snappy/blob/main/format_description.txt */
function block(bytes: Buffer, sink: ByteSink): void {
  let at = 0;
  while (bytes.readUInt8(at++) >= 0x80); // the length of what is packed, which the sink counts itself
  while (at < bytes.length) {
    const tag = bytes.readUInt8(at++);
    const upper = tag >> 2;
    switch (tag & 3) {
      case 0: {
        const extra = Math.max(0, upper - 59); // bytes that the length takes
        const count = (extra === 0 ? upper : bytes.readUIntLE(at, extra)) + 1;
        at += extra;
        sink.write(bytes, at, count);
        at += count;
        break;
      }
      case 1:
        sink.repeat(((tag >> 5) << 8) + bytes.readUInt8(at), (upper & 7) + 4);
        at += 1;
        break;
      case 2:
        sink.repeat(bytes.readUInt16LE(at), upper + 1);
        at += 2;
        break;
      default:
        sink.repeat(bytes.readUInt32LE(at), upper + 1);
        at += 4;
    }
  }
}

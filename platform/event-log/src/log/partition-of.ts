import { Buffer } from 'node:buffer';

const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;

/** Kafka's own hash of a key (murmur2, 32 bits), which decides the partition of every record that names none. */
function murmur2(key: Buffer): number {
  const { length } = key;
  const tail = length & ~3;
  let hash = SEED ^ length;
  for (let at = 0; at < tail; at += 4) {
    let word = Math.imul(key.readInt32LE(at), MULTIPLIER);
    word = Math.imul(word ^ (word >>> 24), MULTIPLIER);
    hash = Math.imul(hash, MULTIPLIER) ^ word;
  }
  if (tail < length) hash = Math.imul(hash ^ key.readUIntLE(tail, length - tail), MULTIPLIER);
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
}

/** The partition of a stream: as Kafka's own default partitioner has it, in every client. */
export const partitionOf = (streamId: string, partitions: number): number =>
  (murmur2(Buffer.from(streamId)) & 0x7fffffff) % partitions;

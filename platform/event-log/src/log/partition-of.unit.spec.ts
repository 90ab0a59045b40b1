import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import kafkajs from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { partitionOf } from './partition-of.ts';

const partitioner = kafkajs.Partitioners.DefaultPartitioner();
const ofKafka = (key: string, partitions: number): number => {
  const known = { partitionErrorCode: 0, leader: 0, replicas: [], isr: [] };
  const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
    partitionId,
    ...known,
  }));
  return partitioner({ topic: '', partitionMetadata, message: { key, value: null } });
};

describe('the partition of a stream', () => {
  it('is the one that the default partitioner of Kafka clients chooses, for any id', () => {
    const key = fc.string({ maxLength: 64 });
    fc.assert(
      fc.property(
        key,
        fc.integer({ min: 1, max: 12 }),
        (streamId, partitions) => partitionOf(streamId, partitions) === ofKafka(streamId, partitions),
      ),
      {
        numRuns: 300,
        examples: [
          ['', 3],
          ['größer als € und 🦜', 4],
        ],
      },
    );
  });

  it('spreads stream ids over all partitions', () => {
    const seen = Array.from({ length: 200 }, () => partitionOf(`order-${randomUUID()}`, 4));
    expect(new Set(seen)).toEqual(new Set([0, 1, 2, 3]));
  });
});

import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import kafkajs from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { partitionOf } from './partition-of.ts';

const partitioner = kafkajs.Partitioners.DefaultPartitioner();
const ofKafka = (key: string, partitions: number): number =>
  partitioner({
    topic: '',
    partitionMetadata: Array.from({ length: partitions }, (_, partitionId) => ({
      partitionErrorCode: 0,
      partitionId,
      leader: 0,
      replicas: [],
      isr: [],
    })),
    message: { key, value: null },
  });

describe('the partition of a stream', () => {
  it('is the one that the default partitioner of Kafka clients chooses, for any id', () => {
    const key = fc.string({ unit: 'binary', maxLength: 64 });
    fc.assert(
      fc.property(key, fc.integer({ min: 1, max: 64 }), (streamId, partitions) => {
        expect(partitionOf(streamId, partitions)).toBe(ofKafka(streamId, partitions));
      }),
      { numRuns: 2000 },
    );
  });

  it('spreads stream ids over all partitions', () => {
    const seen = Array.from({ length: 200 }, () => partitionOf(`order-${randomUUID()}`, 4));
    expect(new Set(seen)).toEqual(new Set([0, 1, 2, 3]));
  });
});

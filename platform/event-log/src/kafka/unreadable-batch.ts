/**
 * A batch that cannot be unpacked, or whose records are cut: each of its offsets becomes a record that nobody can read,
 * which every reader counts and drops alike. kafkajs would end the consumer, and the next one on the same batch.
 */
import { LeanRecord, encodeRecord } from './lean-records.ts';

/** The decoder of kafkajs, at the start of a batch. */
export interface BatchDecoder {
  readonly buffer: Buffer;
  readonly offset: number;
}

export interface DecodedBatch {
  readonly firstOffset: string;
  readonly records: readonly LeanRecord[];
}

export type DecodeBatch = (decoder: BatchDecoder) => Promise<DecodedBatch>;

/** Where the fields lie that the header of a batch has behind its own length. */
const AT = {
  leaderEpoch: 12,
  magic: 16,
  attributes: 21,
  lastOffsetDelta: 23,
  firstTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  firstSequence: 53,
} as const;
const HEADER_BYTES = 61;
const LOG_APPEND_TIME = 0x8;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

/** Records of one unreadable batch; more end the consumer, which then says so. No broker at its defaults takes so many. */
const RECORDS_MAX = 1_000_000;

const isPartial = (error: unknown): boolean =>
  error instanceof Error && error.name === 'KafkaJSPartialMessageError';

/** Decodes as `decode` does, and gives unreadable records where that rejects for the batch itself. */
export const orUnreadable =
  (decode: DecodeBatch): DecodeBatch =>
  async (decoder) => {
    const header = decoder.buffer.subarray(decoder.offset, decoder.offset + HEADER_BYTES);
    try {
      return await decode(decoder);
    } catch (error) {
      // The end of an answer may hold a part of a batch only: it is fetched again.
      if (isPartial(error) || header.length < HEADER_BYTES) throw error;
      const count = header.readInt32BE(AT.lastOffsetDelta) + 1;
      if (count > RECORDS_MAX) throw error;
      return unreadable(header, count);
    }
  };

function unreadable(header: Buffer, count: number): DecodedBatch {
  const attributes = header.readInt16BE(AT.attributes);
  const has = (flag: number): boolean => (attributes & flag) !== 0;
  const context = {
    firstOffset: String(header.readBigInt64BE(0)),
    firstTimestamp: String(header.readBigInt64BE(AT.firstTimestamp)),
    maxTimestamp: String(header.readBigInt64BE(AT.maxTimestamp)),
    partitionLeaderEpoch: header.readInt32BE(AT.leaderEpoch),
    magicByte: header.readInt8(AT.magic),
    timestampType: has(LOG_APPEND_TIME) ? 1 : 0,
    inTransaction: has(TRANSACTIONAL),
    isControlBatch: has(CONTROL),
    lastOffsetDelta: count - 1,
    producerId: String(header.readBigInt64BE(AT.producerId)),
    producerEpoch: header.readInt16BE(AT.producerEpoch),
    firstSequence: header.readInt32BE(AT.firstSequence),
  };
  const records = Array.from({ length: count }, (_, offsetDelta) => {
    const { buffer } = encodeRecord({ offsetDelta, key: null, value: null });
    return new LeanRecord(buffer.subarray(lengthBytes(buffer)), context);
  });
  return { ...context, records };
}

/** Bytes of the number in front of a record. */
const lengthBytes = (record: Buffer): number => record.findIndex((byte) => byte < 0x80) + 1;

/**
 * Unpacks batches that other producers have compressed. kafkajs knows gzip alone, without a limit; one batch that it cannot
 * unpack would end every consumer of its topic for ever.
 */
import { promisify } from 'node:util';
import { gzip, unzip, zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import { UnpackedTooLarge } from './byte-sink.ts';
import { unpackLz4 } from './lz4.ts';
import { unpackSnappy } from './snappy.ts';

/**
 * Most bytes that a batch may unpack to. It is no setting: what one reader reads and another does not would give two
 * histories. The log's own batches are not compressed and smaller by far (`maxBatchBytes`).
 */
const UNPACKED_BYTES_MAX = 16_777_216;

interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(packed: Buffer): Promise<Buffer>;
}

const bounded = { maxOutputLength: UNPACKED_BYTES_MAX };

const unpacking = async (work: Promise<Buffer>): Promise<Buffer> => {
  try {
    return await work;
  } catch (error) {
    if ((error as { readonly code?: string }).code === 'ERR_BUFFER_TOO_LARGE')
      throw new UnpackedTooLarge(UNPACKED_BYTES_MAX);
    throw error;
  }
};

const neverPacked = (): Promise<never> => Promise.reject(new Error('the event log packs no batch this way'));

const codecs: readonly (readonly [kafkajs.CompressionTypes, Codec])[] = [
  [
    kafkajs.CompressionTypes.GZIP,
    {
      compress: ({ buffer }) => promisify(gzip)(buffer),
      decompress: (packed) => unpacking(promisify(unzip)(packed, bounded)),
    },
  ],
  [
    kafkajs.CompressionTypes.ZSTD,
    {
      compress: ({ buffer }) => promisify(zstdCompress)(buffer),
      decompress: (packed) => unpacking(promisify(zstdDecompress)(packed, bounded)),
    },
  ],
  [
    kafkajs.CompressionTypes.LZ4,
    {
      compress: neverPacked,
      // eslint-disable-next-line @typescript-eslint/require-await -- what it throws is a rejection
      decompress: async (packed) => unpackLz4(packed, UNPACKED_BYTES_MAX),
    },
  ],
  [
    kafkajs.CompressionTypes.Snappy,
    {
      compress: neverPacked,
      // eslint-disable-next-line @typescript-eslint/require-await -- what it throws is a rejection
      decompress: async (packed) => unpackSnappy(packed, UNPACKED_BYTES_MAX),
    },
  ],
];

/** Gives them to kafkajs, for every client of this process. */
export function registerCodecs(): void {
  const known = kafkajs.CompressionCodecs as Record<number, () => Codec>; // typed for reading only
  for (const [type, codec] of codecs) known[type] = () => codec;
}

import { Buffer } from 'node:buffer';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { crc32c } from './crc32c.ts';

// Not patched in this process: the original.
const original = createRequire(import.meta.url)('kafkajs/src/protocol/recordBatch/crc32C/index.js') as (
  bytes: Buffer,
) => number;

it('is the check value of the polynomial', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
});

it('is what kafkajs computes, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (array) => {
      expect(crc32c(Buffer.from(array))).toBe(original(Buffer.from(array)));
    }),
  );
});

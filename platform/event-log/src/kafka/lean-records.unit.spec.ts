import { Buffer } from 'node:buffer';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeRecord, encodeRecord } from './lean-records.ts';

// Not patched in this process: the originals.
const require = createRequire(import.meta.url);
const inKafkajs = 'kafkajs/src/protocol/recordBatch/record/v0';
const originalEncode = require(`${inKafkajs}/index.js`) as (parts: object) => { readonly buffer: Buffer };
const originalDecode = require(`${inKafkajs}/decoder.js`) as (
  decoder: object,
  context: object,
) => { readonly headers: Record<string, unknown>; readonly timestamp: string };
const Decoder = require('kafkajs/src/protocol/decoder.js') as new (bytes: Buffer) => {
  readonly buffer: Buffer;
  readVarIntBytes(): Buffer;
};

const text = fc.oneof(
  fc.string({ maxLength: 140 }), // both sides of what is short, and of lengths of two bytes
  fc.string({ unit: 'binary', maxLength: 140 }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 70 })
    .map((units) => String.fromCharCode(...units)), // halves of pairs, too
  fc.constantFrom(
    '',
    'x'.repeat(63),
    'x'.repeat(64),
    '€'.repeat(63),
    '\ud800',
    'größer als € und 🦜',
    'x'.repeat(300),
  ),
);
const bytes = fc.oneof(
  text,
  fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
);
const parts = fc.record({
  offsetDelta: fc.nat({ max: 100_000 }),
  timestampDelta: fc.oneof(fc.constant(0), fc.integer(), fc.integer({ min: -(2 ** 42), max: 2 ** 42 })),
  key: fc.option(bytes),
  value: fc.option(fc.oneof(bytes, fc.constantFrom('€'.repeat(6000), Buffer.alloc(40_000, 7)))),
  headers: fc.dictionary(
    // kafkajs finds names such as `constructor` on the prototype; ours does not: see below.
    fc.oneof(
      fc.stringMatching(/^[a-z-]{1,20}$/).filter((name) => !(name in {})),
      fc.constant('schlüssel'),
    ),
    fc.oneof(bytes, fc.array(bytes, { minLength: 2, maxLength: 3 })),
    { maxKeys: 12 },
  ),
});
const context = {
  firstOffset: '9007199254000000',
  firstTimestamp: '1760000000000',
  maxTimestamp: '1760000000999',
  magicByte: 2,
  partitionLeaderEpoch: 7,
};

describe('lean records', () => {
  it('are encoded to the bytes that kafkajs makes', () => {
    fc.assert(
      fc.property(parts, (record) => {
        expect(encodeRecord(record).buffer.equals(originalEncode(record).buffer)).toBe(true);
      }),
    );
  });

  it('stay what they are when others are encoded behind them', () => {
    fc.assert(
      fc.property(fc.array(parts, { minLength: 2, maxLength: 4 }), (records) => {
        const encoded = records.map((record) => encodeRecord(record).buffer);
        for (const [index, one] of encoded.entries())
          expect(one.equals(originalEncode(records[index] ?? {}).buffer)).toBe(true);
      }),
    );
  });

  it('are decoded to what kafkajs makes of them', () => {
    fc.assert(
      fc.property(parts, fc.constantFrom(0, 1), (record, timestampType) => {
        const body = (): InstanceType<typeof Decoder> =>
          new Decoder(new Decoder(originalEncode(record).buffer).readVarIntBytes());
        const batch = { ...context, timestampType };
        const { headers, timestamp, ...rest } = originalDecode(body(), batch);
        const decoded = decodeRecord(body(), batch);
        expect(decoded).toMatchObject(rest);
        expect(decoded.headers).toEqual(headers);
        expect(decoded.timestamp).toBe(timestamp);
        expect(decoded.leaderEpoch).toBe(context.partitionLeaderEpoch);
        for (const [name, held] of Object.entries(headers).filter(([each]) => each !== 'schlüssel'))
          expect(decoded.header(name)).toEqual(Array.isArray(held) ? undefined : held);
        expect(decoded.header('absent')).toBeUndefined();
      }),
    );
  });

  it('take a header whose name every object has for a header like any other', () => {
    const record = { headers: { constructor: 'x', 'to-string': 'y' } };
    const body = new Decoder(new Decoder(originalEncode(record).buffer).readVarIntBytes());
    const { headers } = decodeRecord(body, { ...context, timestampType: 0 }) as { headers: object };
    expect(Object.entries(headers)).toEqual([
      ['constructor', Buffer.from('x')],
      ['to-string', Buffer.from('y')],
    ]);
  });

  it('leave out a header that would replace the prototype of the others', () => {
    const record = { headers: { ['__proto__']: 'x', kept: 'y' } };
    const body = new Decoder(new Decoder(originalEncode(record).buffer).readVarIntBytes());
    const decoded = decodeRecord(body, { ...context, timestampType: 0 });
    expect(decoded).toMatchObject({ headers: { kept: Buffer.from('y') } });
    expect(Object.getPrototypeOf((decoded as { headers: object }).headers)).toBe(Object.prototype);
  });
});

import { Buffer } from 'node:buffer';
import avsc, { type Schema } from 'avsc';
import { describe, expect, it } from 'vitest';
import { isBounded } from './bounded.ts';
import { AvroCodec, FOREIGN } from './codec.ts';

const record = (type: unknown, name = 'R'): Schema =>
  ({ type: 'record', name, fields: [{ name: 'f', type }] }) as Schema;
const bounded = (schema: Schema): boolean => isBounded(avsc.Type.forSchema(schema));
const empty = { type: 'record', name: 'Empty', fields: [] };
const nested = (depth: number): unknown =>
  depth === 0 ? 'int' : { type: 'array', items: nested(depth - 1) };

describe('a schema that is safe to read for', () => {
  it.each<[string, unknown]>([
    ['a plain value', 'string'],
    ['a value that may be missing', ['null', 'string']],
    ['lists and maps of values', { type: 'array', items: { type: 'map', values: ['null', 'long'] } }],
    [
      'one record in two places',
      { type: 'array', items: [record('int', 'P'), { type: 'map', values: 'P' }] },
    ],
    ['60 levels', nested(60)],
  ])('has %s', (_title, type) => {
    expect(bounded(record(type))).toBe(true);
  });

  it('may be an event without fields', () => {
    expect(bounded(empty as Schema)).toBe(true);
  });

  it.each<[string, unknown]>([
    ['a list of nulls', { type: 'array', items: 'null' }],
    ['a list of empty records', { type: 'array', items: empty }],
    [
      'a list of records of nothing',
      { type: 'array', items: { ...empty, fields: [{ name: 'n', type: 'null' }] } },
    ],
    ['a list of fixed values of no bytes', { type: 'array', items: { type: 'fixed', name: 'F', size: 0 } }],
    ['a field that is always null', 'null'],
    ['itself', ['null', 'R']],
    ['a list of itself', { type: 'array', items: 'R' }],
    ['more levels than a stack may have', nested(100)],
  ])('has no %s', (_title, type) => {
    expect(bounded(record(type))).toBe(false);
  });
});

const codecOf = async (schema: Schema) => {
  const store = { register: () => Promise.resolve(1), fetch: () => Promise.resolve(schema as object) };
  const codec = new AvroCodec({ name: 't', partitions: 1, schemas: {} }, store);
  await codec.prepare(7);
  return (body: Buffer) => codec.decode(Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), body]));
};

it.each<[string, unknown]>([
  ['nulls', 'null'],
  ['numbers', 'int'],
  ['lists of numbers', { type: 'array', items: 'int' }],
])('a few bytes that claim a billion %s are unreadable at once', async (_title, items) => {
  const billion = Buffer.from([0x80, 0xa8, 0xd6, 0xb9, 0x07, 2, 4]);
  expect((await codecOf(record({ type: 'array', items })))(billion)).toBeUndefined();
  expect((await codecOf(record({ type: 'map', values: items })))(billion)).toBeUndefined();
});

it('whatever has lists in it and was written whole is readable, and nothing that was cut is', async () => {
  const schema = {
    type: 'record',
    name: 'All',
    fields: [
      { name: 'a', type: { type: 'array', items: ['null', 'string', 'double'] } },
      { name: 'm', type: { type: 'map', values: { type: 'array', items: 'long' } } },
      { name: 'e', type: { type: 'enum', name: 'E', symbols: ['X', 'Y'] } },
      { name: 'x', type: { type: 'fixed', name: 'F', size: 3 } },
      { name: 'b', type: 'boolean' },
      { name: 'f', type: 'float' },
      { name: 'y', type: 'bytes' },
    ],
  } as Schema;
  const body = avsc.Type.forSchema(schema).toBuffer({
    a: [null, 'é', 1.5],
    m: { k: [1, -1, 2 ** 40], empty: [] },
    e: 'Y',
    x: Buffer.from('abc'),
    b: true,
    f: 0.5,
    y: Buffer.from([1, 2]),
  });
  const decode = await codecOf(schema);
  expect(decode(body)).toBe(FOREIGN);
  for (let length = 0; length < body.length; length++)
    expect(decode(body.subarray(0, length)), String(length)).toBeUndefined();
});

it('a topic that declares such a schema is refused', () => {
  const store = { register: () => Promise.resolve(1), fetch: () => Promise.resolve(undefined) };
  const schemas = { R: record('null') as object };
  expect(() => new AvroCodec({ name: 't', partitions: 1, schemas }, store)).toThrow(/takes no bytes/);
});

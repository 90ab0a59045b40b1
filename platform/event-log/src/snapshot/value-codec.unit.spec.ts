import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteSink } from './byte-sink.ts';
import { SnapshotRefused } from './errors.ts';
import { Shapes } from './shapes.ts';
import { decodeValue, encodeValue } from './value-codec.ts';

const seed = 20_261_124;
const roundTrip = (value: unknown): unknown => {
  const shapes = new Shapes();
  const sink = new ByteSink(1);
  encodeValue(sink, value, shapes);
  return decodeValue(sink.view(), 0, new Shapes(shapes.all));
};

const anyState = fc.anything({
  key: fc
    .oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a', 'b'))
    .filter((key) => key !== '__proto__'),
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withSparseArray: false,
  withNullPrototype: false,
  withObjectString: false,
  values: [
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constantFrom(undefined, null, -0, Number.NaN, 2 ** 53, -(2 ** 31), '\ud800', 'é', '日本'),
    fc.string({ unit: 'binary' }),
  ],
});

describe('a state or row', () => {
  it('comes back as it was, whatever plain data it holds', () => {
    fc.assert(
      fc.property(anyState, (value) => {
        expect(roundTrip(value)).toStrictEqual(value);
      }),
      { seed },
    );
  });

  it('comes back the same from a file that names fields by number, with the keys in their order', () => {
    const value = { b: 1, a: { z: [], y: undefined } };
    expect(JSON.stringify(roundTrip(value))).toBe('{"b":1,"a":{"z":[]}}');
    expect(Object.keys(roundTrip(value) as object)).toEqual(['b', 'a']);
  });

  it('may be a dictionary of more keys than shapes are kept', () => {
    const rows = Array.from({ length: 3000 }, (_, index) => ({ [`key-${index}`]: index }));
    expect(roundTrip(rows)).toStrictEqual(rows);
  });

  class Money {
    readonly amountMinor = 1;
  }
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  it.each([
    ['an instance of a class', { price: new Money() }, 'price: an instance of Money'],
    ['a function', { lines: [() => 1] }, 'lines[0]: a function'],
    ['a symbol', Symbol('s'), 'a symbol'],
    ['a key that is a symbol', { [Symbol('s')]: 1 }, 'a key that is a symbol'],
    ['a hole', [1, , 2], '[1]: a hole'],
    ['no prototype', { map: Object.create(null) as unknown }, 'map: an object without a prototype'],
    ['a typed array', new Uint8Array(1), 'an instance of Uint8Array'],
  ])('is refused, naming the place, when it holds %s', (_what, value, message) => {
    expect(() => roundTrip(value)).toThrow(new SnapshotRefused(message));
  });

  it('is refused when it contains itself', () => {
    expect(() => roundTrip(cycle)).toThrow(SnapshotRefused);
  });
});

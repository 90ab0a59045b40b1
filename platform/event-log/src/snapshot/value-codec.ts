/**
 * States and rows as bytes. What comes back is equal to what went in, of the same types, and shares nothing with it.
 *
 * A state or row may hold: undefined, null, booleans, numbers (NaN and -0 too), bigints, strings, dates, arrays without
 * holes, Maps, Sets, and plain objects. Anything else is refused, as it would come back as something else: instances of
 * classes, functions, symbols, objects without a prototype, keys that are symbols or `__proto__`.
 */
import type { Buffer } from 'node:buffer';
import { isLatin1, type ByteSink } from './byte-sink.ts';
import { SnapshotRefused } from './errors.ts';
import type { Shapes } from './shapes.ts';

const Tag = {
  undefined: 0,
  null: 1,
  false: 2,
  true: 3,
  int: 4,
  double: 5,
  latin1: 6,
  utf16: 7,
  bigint: 8,
  date: 9,
  array: 10,
  map: 11,
  set: 12,
  shaped: 13,
  object: 14,
} as const;

/** Levels of nesting; past them a value is taken for a cycle. */
const DEPTH_MAX = 200;

const refused = (what: string): SnapshotRefused => new SnapshotRefused(what);

/** Appends one value. @throws SnapshotRefused naming what it may not hold, and where. */
export function encodeValue(sink: ByteSink, value: unknown, shapes: Shapes, depth = 0): void {
  if (depth > DEPTH_MAX) throw refused(`more than ${DEPTH_MAX} levels deep (a cycle?)`);
  switch (typeof value) {
    case 'string':
      encodeText(sink, value);
      return;
    case 'number':
      encodeNumber(sink, value);
      return;
    case 'undefined':
      sink.u8(Tag.undefined);
      return;
    case 'boolean':
      sink.u8(value ? Tag.true : Tag.false);
      return;
    case 'bigint':
      sink.u8(Tag.bigint);
      encodeText(sink, value.toString());
      return;
    case 'object':
      if (value === null) sink.u8(Tag.null);
      else encodeObject(sink, value, shapes, depth);
      return;
    case 'function':
    case 'symbol':
      throw refused(`a ${typeof value}`);
  }
}

function encodeText(sink: ByteSink, text: string): void {
  if (isLatin1(text)) {
    sink.u8(Tag.latin1);
    sink.varint(text.length);
    sink.latin1(text);
  } else {
    sink.u8(Tag.utf16);
    sink.varint(text.length);
    sink.utf16(text);
  }
}

function encodeNumber(sink: ByteSink, value: number): void {
  if ((value | 0) === value && !Object.is(value, -0)) {
    sink.u8(Tag.int);
    sink.varint(((value << 1) ^ (value >> 31)) >>> 0);
  } else {
    sink.u8(Tag.double);
    sink.f64(value);
  }
}

function encodeObject(sink: ByteSink, value: object, shapes: Shapes, depth: number): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype) {
    encodePlain(sink, value as Readonly<Record<string, unknown>>, shapes, depth);
  } else if (prototype === Array.prototype) {
    encodeArray(sink, value as readonly unknown[], shapes, depth);
  } else if (prototype === Map.prototype) {
    const map = value as ReadonlyMap<unknown, unknown>;
    sink.u8(Tag.map);
    sink.varint(map.size);
    for (const [key, item] of map) {
      within('a key', () => {
        encodeValue(sink, key, shapes, depth + 1);
      });
      within(String(key), () => {
        encodeValue(sink, item, shapes, depth + 1);
      });
    }
  } else if (prototype === Set.prototype) {
    const set = value as ReadonlySet<unknown>;
    sink.u8(Tag.set);
    sink.varint(set.size);
    for (const item of set)
      within('an item', () => {
        encodeValue(sink, item, shapes, depth + 1);
      });
  } else if (prototype === Date.prototype) {
    sink.u8(Tag.date);
    sink.f64((value as Date).getTime());
  } else {
    throw refused(prototype === null ? 'an object without a prototype' : `an instance of ${nameOf(value)}`);
  }
}

const nameOf = (value: object): string => value.constructor.name || 'an unnamed class';

function encodeArray(sink: ByteSink, items: readonly unknown[], shapes: Shapes, depth: number): void {
  sink.u8(Tag.array);
  sink.varint(items.length);
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (item === undefined && !(index in items)) throw refused(`[${index}]: a hole`);
    if (typeof item === 'string') encodeText(sink, item);
    else if (typeof item === 'number') encodeNumber(sink, item);
    else
      within(`[${index}]`, () => {
        encodeValue(sink, item, shapes, depth + 1);
      });
  }
}

function encodePlain(
  sink: ByteSink,
  value: Readonly<Record<string, unknown>>,
  shapes: Shapes,
  depth: number,
): void {
  if (Object.getOwnPropertySymbols(value).length > 0) throw refused('a key that is a symbol');
  const keys = Object.keys(value);
  const shape = shapes.numberOf(keys);
  if (shape === undefined) {
    sink.u8(Tag.object);
    sink.varint(keys.length);
  } else {
    sink.u8(Tag.shaped);
    sink.varint(shape);
  }
  for (const key of keys) {
    if (key === '__proto__') throw refused('a key "__proto__"');
    if (shape === undefined) encodeText(sink, key);
    const item = value[key];
    if (typeof item === 'string') encodeText(sink, item);
    else if (typeof item === 'number') encodeNumber(sink, item);
    else
      within(key, () => {
        encodeValue(sink, item, shapes, depth + 1);
      });
  }
}

/** Names the way to what is refused. */
function within(where: string, encode: () => void): void {
  try {
    encode();
  } catch (error) {
    if (!(error instanceof SnapshotRefused)) throw error;
    throw refused(`${where}${error.message.startsWith('[') ? '' : ': '}${error.message}`);
  }
}

/** Reads one value that `encodeValue` wrote at `start`. @throws RangeError on bytes that it never writes. */
export function decodeValue(bytes: Buffer, start: number, shapes: Shapes): unknown {
  return new ValueReader(bytes, start, shapes).value();
}

class ValueReader {
  readonly #bytes: Buffer;
  readonly #shapes: Shapes;
  #at: number;

  constructor(bytes: Buffer, at: number, shapes: Shapes) {
    this.#bytes = bytes;
    this.#shapes = shapes;
    this.#at = at;
  }

  value(): unknown {
    const tag = this.#bytes[this.#at++] ?? -1;
    switch (tag) {
      case Tag.undefined:
        return undefined;
      case Tag.null:
        return null;
      case Tag.false:
        return false;
      case Tag.true:
        return true;
      case Tag.int: {
        const folded = this.#varint();
        return (folded >>> 1) ^ -(folded & 1);
      }
      case Tag.double:
        return this.#double();
      case Tag.latin1:
      case Tag.utf16:
        return this.#text(tag);
      case Tag.bigint:
        return BigInt(this.#key());
      case Tag.date:
        return new Date(this.#double());
      case Tag.array:
        return this.#array();
      case Tag.map:
        return new Map(this.#times(() => [this.value(), this.value()] as const));
      case Tag.set:
        return new Set(this.#times(() => this.value()));
      case Tag.shaped:
        return this.#shaped();
      case Tag.object:
        return Object.fromEntries(this.#times(() => [this.#key(), this.value()] as const));
      default:
        throw new RangeError(`no value begins with ${String(tag)}`);
    }
  }

  #shaped(): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    for (const key of this.#shapes.at(this.#varint())) object[key] = this.value();
    return object;
  }

  #array(): unknown[] {
    const length = this.#varint();
    const items: unknown[] = [];
    for (let index = 0; index < length; index++) items.push(this.value());
    return items;
  }

  #times<T>(read: () => T): T[] {
    const count = this.#varint();
    const items: T[] = [];
    for (let index = 0; index < count; index++) items.push(read());
    return items;
  }

  #key(): string {
    const tag = this.#bytes[this.#at++];
    if (tag !== Tag.latin1 && tag !== Tag.utf16) throw new RangeError(`no text begins with ${String(tag)}`);
    return this.#text(tag);
  }

  #text(tag: typeof Tag.latin1 | typeof Tag.utf16): string {
    const length = this.#varint();
    const from = this.#at;
    this.#at += tag === Tag.latin1 ? length : length * 2;
    return this.#bytes.toString(tag === Tag.latin1 ? 'latin1' : 'utf16le', from, this.#at);
  }

  #double(): number {
    const value = this.#bytes.readDoubleLE(this.#at);
    this.#at += 8;
    return value;
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined || shift > 28) throw new RangeError('a number without an end');
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }
}

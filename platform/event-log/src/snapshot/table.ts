/**
 * Entries as they lie in a snapshot, in ascending order of their keys (by code unit). Nothing is read before it is asked
 * for: opening a table of a million entries costs as much as opening an empty one.
 */
import type { Buffer } from 'node:buffer';
import type { ByteSink } from './byte-sink.ts';

/** Bytes of a code unit in the keys of a table: 1 when all are below 256. */
export type KeyWidth = 1 | 2;

/** Where the parts of a table lie in its section. */
export interface TableLayout {
  readonly entries: number;
  readonly keyWidth: KeyWidth;
  readonly keysAt: number;
  readonly keyEndsAt: number;
  readonly valueEndsAt: number;
}

/** Keys in ascending order. */
export interface KeyList {
  readonly length: number;
  /** @throws RangeError */
  keyAt(index: number): string;
  /** Index of the first key that is greater than `key` (or equal to it, when `orEqual`). */
  firstAfter(key: string, orEqual?: boolean): number;
  has(key: string): boolean;
}

/** Makes a value of its bytes, which begin at `start`. */
export type Decode<V> = (bytes: Buffer, start: number, end: number) => V;

const u32 = (section: Buffer, at: number, count: number): Uint32Array =>
  new Uint32Array(section.buffer, section.byteOffset + at, count);

export class Table<V> implements KeyList {
  readonly length: number;
  readonly keyWidth: KeyWidth;
  readonly #section: Buffer;
  readonly #keys: Buffer;
  readonly #keyEnds: Uint32Array;
  readonly #valueEnds: Uint32Array;
  readonly #decode: Decode<V>;

  /** @param section begins at a multiple of 8 in its memory. */
  constructor(section: Buffer, layout: TableLayout, decode: Decode<V>) {
    this.length = layout.entries;
    this.keyWidth = layout.keyWidth;
    this.#section = section;
    this.#keys = section.subarray(layout.keysAt, layout.keyEndsAt);
    this.#keyEnds = u32(section, layout.keyEndsAt, layout.entries);
    this.#valueEnds = u32(section, layout.valueEndsAt, layout.entries);
    this.#decode = decode;
  }

  keyAt(index: number): string {
    const [start, end] = this.#span(this.#keyEnds, index);
    return this.#keys.toString(this.keyWidth === 1 ? 'latin1' : 'utf16le', start, end);
  }

  valueAt(index: number): V {
    const [start, end] = this.#span(this.#valueEnds, index);
    return this.#decode(this.#section, start, end);
  }

  /** Index of a key; -1 when it is not here. */
  find(key: string): number {
    const index = this.firstAfter(key, true);
    return index < this.length && this.#compare(index, key) === 0 ? index : -1;
  }

  has(key: string): boolean {
    return this.find(key) !== -1;
  }

  firstAfter(key: string, orEqual = false): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = this.#compare(middle, key);
      if (order < 0 || (order === 0 && !orEqual)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Appends the key as it lies here. The sink's table must have the same width. */
  copyKey(index: number, sink: ByteSink): void {
    const [start, end] = this.#span(this.#keyEnds, index);
    sink.bytes(this.#keys, start, end);
  }

  /** Appends the value as it lies here. */
  copyValue(index: number, sink: ByteSink): void {
    const [start, end] = this.#span(this.#valueEnds, index);
    sink.bytes(this.#section, start, end);
  }

  #span(ends: Uint32Array, index: number): readonly [number, number] {
    const end = ends[index];
    if (end === undefined) throw new RangeError(`no entry ${index} in a table of ${this.length}`);
    return [index === 0 ? 0 : (ends[index - 1] ?? 0), end];
  }

  /** Below zero when the entry's key is smaller. Compares in place: a lookup makes no strings. */
  #compare(index: number, key: string): number {
    const [start, end] = this.#span(this.#keyEnds, index);
    const wide = this.keyWidth === 2;
    const length = wide ? (end - start) >>> 1 : end - start;
    const common = Math.min(length, key.length);
    for (let unit = 0; unit < common; unit++) {
      const at = wide ? start + unit * 2 : start + unit;
      const mine = (this.#keys[at] ?? 0) | (wide ? (this.#keys[at + 1] ?? 0) << 8 : 0);
      const difference = mine - key.charCodeAt(unit);
      if (difference !== 0) return difference;
    }
    return length - key.length;
  }
}

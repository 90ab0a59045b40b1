import type { Buffer } from 'node:buffer';
import type { ByteSink } from './byte-sink.ts';
import type { KeyList, Table } from './table.ts';

const BYTES = 4;

export function encodePostings(sink: ByteSink, rows: readonly number[]): void {
  for (const row of rows) sink.u32(row);
}

/** Some rows of a table, by their numbers in ascending order: what an index holds under one value. */
export class Postings implements KeyList {
  readonly length: number;
  readonly #rows: Table<unknown>;
  readonly #bytes: Buffer;
  readonly #start: number;

  constructor(rows: Table<unknown>, bytes: Buffer, start: number, end: number) {
    this.#rows = rows;
    this.#bytes = bytes;
    this.#start = start;
    this.length = (end - start) / BYTES;
  }

  /** The number of the row in its table. */
  rowAt(index: number): number {
    if (index < 0 || index >= this.length) throw new RangeError(`no entry ${index} of ${this.length}`);
    return this.#bytes.readUInt32LE(this.#start + index * BYTES);
  }

  keyAt(index: number): string {
    return this.#rows.keyAt(this.rowAt(index));
  }

  firstAfter(key: string, orEqual = false): number {
    const row = this.#rows.firstAfter(key, orEqual);
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.rowAt(middle) < row) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  has(key: string): boolean {
    const row = this.#rows.find(key);
    const index = this.firstAfter(key, true);
    return row !== -1 && index < this.length && this.rowAt(index) === row;
  }
}

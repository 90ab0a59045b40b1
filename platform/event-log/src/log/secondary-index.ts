import type { KeyList, Table } from '../snapshot/table.ts';
import { SortedKeys } from './sorted-keys.ts';

/** The keys of rows by a value of theirs, perhaps above an index of a snapshot. */
export class SecondaryIndex {
  #base: Table<KeyList> | undefined;
  /** Values whose keys have changed since the snapshot; without a snapshot, every value. May be empty. */
  #values = new Map<string, SortedKeys>();

  get base(): Table<KeyList> | undefined {
    return this.#base;
  }

  /** Undefined when no row has the value. */
  keysOf(value: string): SortedKeys | undefined {
    const changed = this.#values.get(value);
    if (changed !== undefined) return changed.size === 0 ? undefined : changed;
    const keys = this.#fromBase(value);
    return keys === undefined ? undefined : new SortedKeys(keys);
  }

  /** The distinct values, sorted. */
  values(): readonly string[] {
    const values: string[] = [];
    for (const [value, keys] of this.#values) if (keys.size > 0) values.push(value);
    const base = this.#base;
    for (let index = 0; base !== undefined && index < base.length; index++) {
      const value = base.keyAt(index);
      if (!this.#values.has(value)) values.push(value);
    }
    return values.sort();
  }

  move(key: string, from: string | undefined, to: string | undefined): void {
    if (from !== undefined) {
      const keys = this.#changing(from);
      keys.delete(key);
      if (keys.size === 0 && this.#base?.has(from) !== true) this.#values.delete(from);
    }
    if (to !== undefined) this.#changing(to).add(key);
  }

  clear(): void {
    this.#base = undefined;
    this.#values = new Map();
  }

  /** Replaces all content by that of a snapshot. */
  adopt(base: Table<KeyList>): void {
    this.clear();
    this.#base = base;
  }

  #changing(value: string): SortedKeys {
    const known = this.#values.get(value);
    if (known !== undefined) return known;
    const keys = new SortedKeys(this.#fromBase(value));
    this.#values.set(value, keys);
    return keys;
  }

  #fromBase(value: string): KeyList | undefined {
    const index = this.#base?.find(value) ?? -1;
    return index === -1 ? undefined : this.#base?.valueAt(index);
  }
}

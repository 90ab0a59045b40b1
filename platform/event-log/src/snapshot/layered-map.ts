/**
 * A map over a table of a snapshot. Values are decoded when they are asked for; what is set lies above the table.
 *
 * `freeze` puts everything that is there aside, at once and whatever the size, for a new snapshot to be written of it
 * in slices; meanwhile changes lie above. `thaw` puts them together again, in slices too: whatever was changed while
 * a million rows were written is not to be moved in one go.
 */
import type { Breather } from './breather.ts';
import type { Table } from './table.ts';

/** In the place of a value that was deleted, where one lies below. */
export const GONE = Symbol('gone');
export type Slot<V> = V | typeof GONE;

/** What a map held when it was frozen: the table, and what lies above it. Not changed before `thaw`. */
export interface FrozenMap<V> {
  readonly base: Table<V> | undefined;
  readonly changes: ReadonlyMap<string, Slot<V>>;
}

/** Decoded values that are kept for the next read; past it all of them are decoded again. */
const DECODED_MAX = 4096;

/** Values are never undefined. */
export class LayeredMap<V> {
  #base: Table<V> | undefined;
  #frozen: Map<string, Slot<V>> | undefined;
  #top = new Map<string, Slot<V>>();
  readonly #decoded = new Map<string, V>();
  /** Counted only while there is anything below the top: replay does not pay for layers that are not there. */
  #size = 0;

  get size(): number {
    return this.#isFlat() ? this.#top.size : this.#size;
  }

  get base(): Table<V> | undefined {
    return this.#base;
  }

  get(key: string): V | undefined {
    const slot = this.#slot(key);
    if (slot === undefined) return this.#base === undefined ? undefined : this.#fromBase(this.#base, key);
    return slot === GONE ? undefined : slot;
  }

  set(key: string, value: V): void {
    if (!this.#isFlat()) {
      if (!this.#has(key)) this.#size++;
      this.#decoded.delete(key);
    }
    this.#top.set(key, value);
  }

  delete(key: string): void {
    if (this.#isFlat()) {
      this.#top.delete(key);
      return;
    }
    if (!this.#has(key)) return;
    this.#size--;
    this.#decoded.delete(key);
    if (this.#frozen?.has(key) === true || this.#base?.has(key) === true) this.#top.set(key, GONE);
    else this.#top.delete(key);
  }

  /**
   * As `get`, for a value that will be changed in place: it is copied first when it is a frozen one, which must stay
   * as it is.
   */
  own(key: string, copy: (value: V) => V): V | undefined {
    const mine = this.#top.get(key);
    if (mine !== undefined) return mine === GONE ? undefined : mine;
    if (this.#isFlat()) return undefined;
    const below = this.get(key);
    if (below === undefined) return undefined;
    const value = this.#frozen?.has(key) === true ? copy(below) : below;
    this.#top.set(key, value);
    this.#decoded.delete(key);
    return value;
  }

  /** In no particular order. */
  *keys(): Generator<string> {
    for (const layer of [this.#top, this.#frozen]) {
      for (const [key, slot] of layer ?? []) {
        if (slot !== GONE && (layer === this.#top || !this.#top.has(key))) yield key;
      }
    }
    const base = this.#base;
    for (let index = 0; index < (base?.length ?? 0); index++) {
      const key = base?.keyAt(index);
      if (key !== undefined && !this.#top.has(key) && this.#frozen?.has(key) !== true) yield key;
    }
  }

  clear(): void {
    this.#base = undefined;
    this.#frozen = undefined;
    this.#top = new Map();
    this.#decoded.clear();
    this.#size = 0;
  }

  /** Replaces all content by that of a table. */
  adopt(base: Table<V>): void {
    this.clear();
    this.#base = base;
    this.#size = base.length;
  }

  /** @throws Error when it is frozen already. */
  freeze(): FrozenMap<V> {
    if (this.#frozen !== undefined) throw new Error('frozen already: one snapshot at a time');
    this.#size = this.size;
    this.#frozen = this.#top;
    this.#top = new Map();
    return { base: this.#base, changes: this.#frozen };
  }

  /**
   * Ends what `freeze` began; the frozen view must no longer be read. Meanwhile the map is what it is at any time: a
   * change lies above until it has been moved, and one that comes later lies above what was moved. After `clear` there
   * is nothing to end.
   * @param breather must not give up.
   */
  async thaw(breather: Breather): Promise<void> {
    const frozen = this.#frozen;
    if (frozen === undefined) return;
    let moved = 0;
    for (const [key, slot] of this.#top) {
      this.#top.delete(key);
      if (slot === GONE && this.#base?.has(key) !== true) frozen.delete(key);
      else frozen.set(key, slot);
      if ((++moved & 0x1f) === 0 && breather.due) await breather.pause();
      if (this.#frozen !== frozen) return;
    }
    this.#top = frozen;
    this.#frozen = undefined;
  }

  #isFlat(): boolean {
    return this.#base === undefined && this.#frozen === undefined;
  }

  #slot(key: string): Slot<V> | undefined {
    const slot = this.#top.get(key);
    return slot === undefined ? this.#frozen?.get(key) : slot;
  }

  #has(key: string): boolean {
    const slot = this.#slot(key);
    return slot === undefined ? this.#base?.has(key) === true : slot !== GONE;
  }

  #fromBase(base: Table<V>, key: string): V | undefined {
    const decoded = this.#decoded.get(key);
    if (decoded !== undefined) return decoded;
    const index = base.find(key);
    if (index === -1) return undefined;
    const value = base.valueAt(index);
    if (this.#decoded.size >= DECODED_MAX) this.#decoded.clear();
    this.#decoded.set(key, value);
    return value;
  }
}

import type { KeyList } from '../snapshot/table.ts';

/** Changes that are made one by one; more are made in one pass. */
const ONE_BY_ONE_MAX = 16;

/**
 * Keys in ascending order, kept lazily: changes are collected and made when the next ordered read asks, so that replay
 * of a million rows sorts once. Only the changes are sorted: keys that are in order already are never compared with each
 * other again. They may lie above the keys of a snapshot, which stay where they are.
 */
export class SortedKeys {
  readonly #base: KeyList | undefined;
  /** Keys of the base that were deleted. */
  readonly #gone = new Set<string>();
  #sorted: string[] = [];
  /** Not among the sorted ones yet. */
  readonly #added = new Set<string>();
  /** Among the sorted ones still. */
  readonly #removed = new Set<string>();

  constructor(base?: KeyList) {
    this.#base = base;
  }

  get size(): number {
    const own = this.#sorted.length + this.#added.size - this.#removed.size;
    return own + (this.#base?.length ?? 0) - this.#gone.size;
  }

  add(key: string): void {
    if (this.#base?.has(key) === true) {
      this.#gone.delete(key);
      return;
    }
    if (!this.#removed.delete(key) && !this.#isSorted(key)) this.#added.add(key);
  }

  delete(key: string): void {
    if (this.#added.delete(key)) return;
    if (this.#isSorted(key)) this.#removed.add(key);
    else if (this.#base?.has(key) === true) this.#gone.add(key);
  }

  /** At most `limit` keys greater than `after`. */
  slice(limit: number, after?: string): readonly string[] {
    if (this.#base !== undefined) return this.#merged(this.#base, limit, after);
    this.#settle();
    const start = after === undefined ? 0 : this.#firstAfter(after);
    return this.#sorted.slice(start, start + limit);
  }

  all(): readonly string[] {
    return this.slice(this.size);
  }

  #merged(base: KeyList, limit: number, after: string | undefined): string[] {
    this.#settle();
    const keys: string[] = [];
    let inBase = after === undefined ? 0 : base.firstAfter(after);
    let inOwn = after === undefined ? 0 : this.#firstAfter(after);
    while (keys.length < limit) {
      const fromBase = inBase < base.length ? base.keyAt(inBase) : undefined;
      const own = this.#sorted[inOwn];
      if (fromBase !== undefined && (own === undefined || fromBase < own)) {
        inBase++;
        if (!this.#gone.has(fromBase)) keys.push(fromBase);
      } else if (own === undefined) {
        return keys;
      } else {
        inOwn++;
        keys.push(own);
      }
    }
    return keys;
  }

  #firstAfter(key: string): number {
    const index = this.#placeOf(key);
    return this.#sorted[index] === key ? index + 1 : index;
  }

  #isSorted(key: string): boolean {
    return this.#sorted[this.#placeOf(key)] === key;
  }

  /** Index among the sorted keys of the first that is not smaller. @param from an index that is not behind it. */
  #placeOf(key: string, from = 0): number {
    let low = from;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const candidate = this.#sorted[middle];
      if (candidate !== undefined && candidate < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #settle(): void {
    const changes = this.#added.size + this.#removed.size;
    if (changes === 0) return;
    if (changes <= ONE_BY_ONE_MAX) {
      for (const key of this.#removed) this.#sorted.splice(this.#placeOf(key), 1);
      for (const key of this.#added) this.#sorted.splice(this.#placeOf(key), 0, key);
    } else {
      this.#sorted = this.#changed([...this.#added, ...this.#removed].sort());
    }
    this.#added.clear();
    this.#removed.clear();
  }

  /** The sorted keys with all changes made. What lies between two changes is copied. */
  #changed(changes: readonly string[]): string[] {
    const sorted = this.#sorted;
    const changed: string[] = [];
    let copied = 0;
    const copyTo = (end: number): void => {
      for (let key = sorted[copied]; copied < end && key !== undefined; key = sorted[++copied])
        changed.push(key);
    };
    for (const key of changes) {
      copyTo(this.#placeOf(key, copied));
      if (this.#removed.has(key)) copied++;
      else changed.push(key);
    }
    copyTo(sorted.length);
    return changed;
  }
}

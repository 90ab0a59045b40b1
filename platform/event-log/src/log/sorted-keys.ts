import type { KeyList } from '../snapshot/table.ts';

/**
 * Keys in ascending order, kept lazily: additions are collected and merged when the next ordered read asks, so that
 * replay of a million rows sorts once. They may lie above the keys of a snapshot, which stay where they are.
 */
export class SortedKeys {
  readonly #base: KeyList | undefined;
  /** Keys of the base that were deleted. */
  readonly #gone = new Set<string>();
  #sorted: string[] = [];
  readonly #members = new Set<string>();
  #added: string[] = [];
  #removed = false;

  constructor(base?: KeyList) {
    this.#base = base;
  }

  get size(): number {
    return this.#members.size + (this.#base?.length ?? 0) - this.#gone.size;
  }

  add(key: string): void {
    if (this.#base?.has(key) === true) {
      this.#gone.delete(key);
      return;
    }
    if (this.#members.has(key)) return;
    this.#members.add(key);
    this.#added.push(key);
  }

  delete(key: string): void {
    if (this.#members.delete(key)) this.#removed = true;
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
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const candidate = this.#sorted[middle];
      if (candidate !== undefined && candidate <= key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #settle(): void {
    if (this.#added.length === 0 && !this.#removed) return;
    if (this.#removed || this.#added.length > 32) {
      this.#sorted = [...this.#members].sort();
    } else {
      for (const key of this.#added) this.#sorted.splice(this.#firstAfter(key), 0, key);
    }
    this.#added = [];
    this.#removed = false;
  }
}

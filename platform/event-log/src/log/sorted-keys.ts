/**
 * Keys in ascending order, kept lazily: additions are collected and merged when the next ordered read asks, so that
 * replay of a million rows sorts once.
 */
export class SortedKeys {
  #sorted: string[] = [];
  readonly #members = new Set<string>();
  #added: string[] = [];
  #removed = false;

  get size(): number {
    return this.#members.size;
  }

  add(key: string): void {
    if (this.#members.has(key)) return;
    this.#members.add(key);
    this.#added.push(key);
  }

  delete(key: string): void {
    if (this.#members.delete(key)) this.#removed = true;
  }

  clear(): void {
    this.#sorted = [];
    this.#added = [];
    this.#members.clear();
    this.#removed = false;
  }

  /** At most `limit` keys greater than `after`. */
  slice(limit: number, after?: string): readonly string[] {
    this.#settle();
    const start = after === undefined ? 0 : this.#firstAfter(after);
    return this.#sorted.slice(start, start + limit);
  }

  all(): readonly string[] {
    this.#settle();
    return this.#sorted;
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

/** The key lists of objects, numbered: rows of one kind name their fields once a file, not once a row. */

/** Objects of further shapes carry their keys with them: a dictionary would otherwise make a shape at each change. */
const SHAPES_MAX = 1024;
const KEYS_MAX = 64;

interface Node {
  readonly next: Map<string, Node>;
  shape: number | undefined;
}

const node = (): Node => ({ next: new Map(), shape: undefined });

export class Shapes {
  readonly #shapes: (readonly string[])[] = [];
  readonly #root = node();

  constructor(known: readonly (readonly string[])[] = []) {
    for (const keys of known) this.numberOf(keys);
  }

  /** Every shape, by its number. */
  get all(): readonly (readonly string[])[] {
    return this.#shapes;
  }

  /** The number of a key list, in its order; undefined when it is too long or there are too many shapes. */
  numberOf(keys: readonly string[]): number | undefined {
    if (keys.length > KEYS_MAX) return undefined;
    const full = this.#shapes.length >= SHAPES_MAX;
    let at = this.#root;
    for (const key of keys) {
      let next = at.next.get(key);
      if (next === undefined) {
        if (full) return undefined;
        next = node();
        at.next.set(key, next);
      }
      at = next;
    }
    if (at.shape === undefined && !full) at.shape = this.#shapes.push(keys) - 1;
    return at.shape;
  }

  /** @throws RangeError for a number that was never given. */
  at(number: number): readonly string[] {
    const keys = this.#shapes[number];
    if (keys === undefined) throw new RangeError(`no shape ${number}`);
    return keys;
  }
}

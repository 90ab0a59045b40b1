/**
 * A persistent map from ids to values: `set` and `delete` answer a new map and share what did not change, at the cost
 * of copying some 70 references whatever the size. A product that sells well has thousands of holds and folds
 * thousands of events a second; copying a whole Map at each would not do. Iteration order is that of the hashes: the
 * same for the same history.
 */
export interface IdMap<V> {
  readonly size: number;
  readonly nodes: Nodes<V>;
}

type Entry<V> = readonly [id: string, value: V];
type Bucket<V> = readonly Entry<V>[];
type Buckets<V> = readonly (Bucket<V> | undefined)[];
type Nodes<V> = readonly (Buckets<V> | undefined)[];

const FAN_OUT = 32;

/** FNV-1a, folded to the two levels of the tree. */
const slotsOf = (id: string): readonly [number, number] => {
  let hash = 0x811c9dc5;
  for (let index = 0; index < id.length; index += 1) {
    hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193);
  }
  const mixed = (hash ^ (hash >>> 15)) >>> 0;
  return [mixed % FAN_OUT, (mixed >>> 5) % FAN_OUT];
};

const replaced = <T>(
  items: readonly (T | undefined)[],
  slot: number,
  item: T | undefined,
): (T | undefined)[] => {
  const copy = items.length === 0 ? new Array<T | undefined>(FAN_OUT).fill(undefined) : items.slice();
  copy[slot] = item;
  return copy;
};

/** The map without entries. */
export const emptyIdMap: IdMap<never> = { size: 0, nodes: [] };

/** The value under `id`, if any. */
export const getId = <V>(map: IdMap<V>, id: string): V | undefined => {
  const [upper, lower] = slotsOf(id);
  return map.nodes[upper]?.[lower]?.find((entry) => entry[0] === id)?.[1];
};

/** The map with `value` under `id`. */
export const setId = <V>(map: IdMap<V>, id: string, value: V): IdMap<V> => {
  const [upper, lower] = slotsOf(id);
  const buckets = map.nodes[upper] ?? [];
  const bucket = buckets[lower] ?? [];
  const others = bucket.filter((entry) => entry[0] !== id);
  const size = others.length === bucket.length ? map.size + 1 : map.size;
  return { size, nodes: replaced(map.nodes, upper, replaced(buckets, lower, [...others, [id, value]])) };
};

/** The map without `id`; the same map when it was not in it. */
export const deleteId = <V>(map: IdMap<V>, id: string): IdMap<V> => {
  const [upper, lower] = slotsOf(id);
  const buckets = map.nodes[upper] ?? [];
  const bucket = buckets[lower] ?? [];
  const others = bucket.filter((entry) => entry[0] !== id);
  if (others.length === bucket.length) return map;
  const rest = others.length === 0 ? undefined : others;
  return { size: map.size - 1, nodes: replaced(map.nodes, upper, replaced(buckets, lower, rest)) };
};

/** Every entry, in no meaningful order. */
export function* entriesOf<V>(map: IdMap<V>): Generator<Entry<V>> {
  for (const buckets of map.nodes) {
    for (const bucket of buckets ?? []) yield* bucket ?? [];
  }
}

import type { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { DomainEvent, ProjectionDefinition, ReadProgress, RecordedEvent, View } from '../ports.ts';
import { sortInSlices, type Breather } from '../snapshot/breather.ts';
import type { SnapshotFile } from '../snapshot/file-reader.ts';
import { LayeredMap } from '../snapshot/layered-map.ts';
import type { FrozenPart, SnapshotPart } from '../snapshot/part.ts';
import { Postings } from '../snapshot/postings.ts';
import { decodeValue } from '../snapshot/value-codec.ts';
import { canonical } from './canonical.ts';
import { SecondaryIndex } from './secondary-index.ts';
import { SortedKeys } from './sorted-keys.ts';
import { freezeView } from './view-snapshot.ts';

/** What a view asks of the reader of its topic. */
interface Source {
  progress(): ReadProgress;
}

/** Well below a millisecond of comparison. */
const COMPARED_ROWS = 50;

/** Rows of one projection in memory, with their secondary indexes. */
export class MemoryView<Row, E extends DomainEvent> implements View<Row>, SnapshotPart {
  readonly name: string;
  readonly #definition: ProjectionDefinition<Row, E>;
  readonly #source: Source;
  #rows = new LayeredMap<Row>();
  #keys = new SortedKeys();
  #takeovers = 0;
  /** While a hash is computed in slices: what the rows that have changed since it began were then. */
  #before: Map<string, Row | undefined> | undefined;
  readonly #indexed: readonly (readonly [string, (row: Row) => string | undefined])[];
  #indexes = new Map<string, SecondaryIndex>();

  constructor(definition: ProjectionDefinition<Row, E>, source: Source) {
    this.name = definition.name;
    this.#definition = definition;
    this.#source = source;
    this.#indexed = Object.entries(definition.indexes ?? {});
    for (const [index] of this.#indexed) this.#indexes.set(index, new SecondaryIndex());
  }

  get partName(): string {
    return `view ${this.name}`;
  }

  get modules(): readonly string[] | undefined {
    const { module } = this.#definition;
    return module === undefined ? undefined : [module, import.meta.url];
  }

  apply(event: RecordedEvent<E>): void {
    const key = this.#definition.key === undefined ? event.streamId : this.#definition.key(event);
    const before = this.#rows.get(key);
    const after = this.#definition.fold(before, event);
    if (after === before) return;
    if (this.#before?.has(key) === false) this.#before.set(key, before);
    if (after === undefined) {
      this.#rows.delete(key);
      this.#keys.delete(key);
    } else {
      this.#rows.set(key, after);
      if (before === undefined) this.#keys.add(key);
    }
    for (const [name, valueOf] of this.#indexed) {
      const from = before === undefined ? undefined : valueOf(before);
      const to = after === undefined ? undefined : valueOf(after);
      if (from !== to) this.#index(name).move(key, from, to);
    }
  }

  reset(): void {
    this.#before = undefined;
    this.#rows.clear();
    this.#keys = new SortedKeys();
    for (const index of this.#indexes.values()) index.clear();
  }

  freeze(): FrozenPart {
    const indexes = Object.entries(this.#definition.indexes ?? {}).map(([name, valueOf]) => ({
      name,
      valueOf,
      base: this.#index(name).base,
    }));
    return freezeView(this.name, this.#rows, indexes);
  }

  adopt(file: SnapshotFile<unknown>): void {
    const decode = (bytes: Buffer, start: number): Row => decodeValue(bytes, start, file.shapes) as Row;
    const rows = file.table(`rows ${this.name}`, decode);
    this.#rows.adopt(rows);
    this.#keys = new SortedKeys(rows);
    for (const [name, index] of this.#indexes) {
      index.adopt(
        file.table(
          `index ${this.name} ${name}`,
          (bytes, start, end) => new Postings(rows, bytes, start, end),
        ),
      );
    }
  }

  /**
   * Takes the rows of another view of the same projection, which must not be applied to any more. A snapshot that is
   * being written goes on from the rows that were there.
   */
  takeOver(other: MemoryView<Row, E>): void {
    this.#before = undefined;
    this.#rows = other.#rows;
    this.#keys = other.#keys;
    this.#indexes = other.#indexes;
    this.#takeovers++;
  }

  /** Times that the rows were replaced at one position: with the progress it tells whether they may have changed. */
  get takeovers(): number {
    return this.#takeovers;
  }

  /**
   * Compares with another view of the same projection, which is not part of any snapshot: yields the key of each row
   * that differs and, every `COMPARED_ROWS` rows, undefined, where the caller may let others run. Rows that change
   * meanwhile are compared as they are when it comes to them.
   */
  *differences(other: MemoryView<Row, E>): Generator<string | undefined> {
    let compared = 0;
    let missing = false;
    for (const key of other.#rows.keys()) {
      const row = this.#rows.get(key);
      missing ||= row === undefined;
      if (row === undefined || canonical(row) !== canonical(other.#rows.get(key))) yield key;
      if (++compared % COMPARED_ROWS === 0) yield undefined;
    }
    // All of the other's rows are here too, so there are more here only when there are more.
    if (!missing && this.size === other.size) return;
    for (const key of this.#rows.keys()) if (other.#rows.get(key) === undefined) yield key;
  }

  get size(): number {
    return this.#rows.size;
  }

  get(key: string): Row | undefined {
    return this.#rows.get(key);
  }

  list(options: { readonly limit: number; readonly after?: string }): readonly Row[] {
    return this.#rowsOf(this.#keys.slice(options.limit, options.after));
  }

  /** As `list`, with the keys. */
  entries(options: { readonly limit: number; readonly after?: string }): readonly (readonly [string, Row])[] {
    const entries: (readonly [string, Row])[] = [];
    for (const key of this.#keys.slice(options.limit, options.after)) {
      const row = this.#rows.get(key);
      if (row !== undefined) entries.push([key, row]);
    }
    return entries;
  }

  find(
    index: string,
    value: string,
    options: { readonly limit: number; readonly after?: string },
  ): readonly Row[] {
    const keys = this.#index(index).keysOf(value);
    return keys === undefined ? [] : this.#rowsOf(keys.slice(options.limit, options.after));
  }

  values(index: string): readonly string[] {
    return this.#index(index).values();
  }

  progress(): ReadProgress {
    return this.#source.progress();
  }

  stateHash(): string {
    const hash = createHash('sha256');
    for (const key of this.#keys.all()) hash.update(`${canonical(key)}:${canonical(this.#rows.get(key))}\n`);
    return hash.digest('hex');
  }

  /**
   * As `stateHash`, of the rows as they are now, whatever is folded while it is computed in slices: rows are never
   * mutated, so it is enough to remember what was replaced. Undefined when all rows were dropped or taken over
   * meanwhile. One at a time.
   */
  async hashInSlices(breather: Breather): Promise<string | undefined> {
    const before = new Map<string, Row | undefined>();
    this.#before = before;
    const hash = createHash('sha256');
    let last: string | undefined;
    let rows = 0;
    for (const key of await sortInSlices(this.#keysWith(before), breather)) {
      if (this.#before !== before) return undefined;
      if (key === last) continue; // it was met twice, as it was changed meanwhile
      last = key;
      const row = before.has(key) ? before.get(key) : this.#rows.get(key);
      if (row !== undefined) hash.update(`${canonical(key)}:${canonical(row)}\n`);
      if ((++rows & 0x3f) === 0 && breather.due) await breather.pause();
    }
    if (this.#before !== before) return undefined;
    this.#before = undefined;
    return hash.digest('hex');
  }

  /** The keys that there are, and behind them those of rows that were deleted until then. */
  *#keysWith(before: ReadonlyMap<string, Row | undefined>): Generator<string> {
    yield* this.#rows.keys();
    for (const [key, row] of before) if (row !== undefined) yield key;
  }

  #index(name: string): SecondaryIndex {
    const index = this.#indexes.get(name);
    if (index === undefined) throw new RangeError(`projection ${this.name} has no index "${name}"`);
    return index;
  }

  #rowsOf(keys: readonly string[]): Row[] {
    const rows: Row[] = [];
    for (const key of keys) {
      const row = this.#rows.get(key);
      if (row !== undefined) rows.push(row);
    }
    return rows;
  }
}

import { createHash } from 'node:crypto';
import type {
  DomainEvent,
  LogPosition,
  ProjectionDefinition,
  ReadProgress,
  RecordedEvent,
  View,
} from '../ports.ts';
import { canonical } from './canonical.ts';
import { SortedKeys } from './sorted-keys.ts';

/** What a view asks of the reader of its topic. */
interface Source {
  progress(): ReadProgress;
  waitFor(position: LogPosition, deadlineMs: number): Promise<boolean>;
}

/** Rows of one projection in memory, with their secondary indexes. */
export class MemoryView<Row, E extends DomainEvent> implements View<Row> {
  readonly name: string;
  readonly #definition: ProjectionDefinition<Row, E>;
  readonly #source: Source;
  readonly #rows = new Map<string, Row>();
  readonly #keys = new SortedKeys();
  readonly #indexed: readonly (readonly [string, (row: Row) => string | undefined])[];
  /** index name -> value -> keys */
  readonly #indexes = new Map<string, Map<string, SortedKeys>>();

  constructor(definition: ProjectionDefinition<Row, E>, source: Source) {
    this.name = definition.name;
    this.#definition = definition;
    this.#source = source;
    this.#indexed = Object.entries(definition.indexes ?? {});
    for (const [index] of this.#indexed) this.#indexes.set(index, new Map());
  }

  apply(event: RecordedEvent<E>): void {
    const key = this.#definition.key === undefined ? event.streamId : this.#definition.key(event);
    const before = this.#rows.get(key);
    const after = this.#definition.fold(before, event);
    if (after === before) return;
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
      if (from !== to) this.#move(name, key, from, to);
    }
  }

  reset(): void {
    this.#rows.clear();
    this.#keys.clear();
    for (const values of this.#indexes.values()) values.clear();
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
    const keys = this.#index(index).get(value);
    return keys === undefined ? [] : this.#rowsOf(keys.slice(options.limit, options.after));
  }

  values(index: string): readonly string[] {
    return [...this.#index(index).keys()].sort();
  }

  waitFor(position: LogPosition, options: { readonly deadlineMs: number }): Promise<boolean> {
    return this.#source.waitFor(position, options.deadlineMs);
  }

  progress(): ReadProgress {
    return this.#source.progress();
  }

  stateHash(): string {
    const hash = createHash('sha256');
    for (const key of this.#keys.all()) hash.update(`${canonical(key)}:${canonical(this.#rows.get(key))}\n`);
    return hash.digest('hex');
  }

  #index(name: string): Map<string, SortedKeys> {
    const index = this.#indexes.get(name);
    if (index === undefined) throw new RangeError(`projection ${this.name} has no index "${name}"`);
    return index;
  }

  #move(name: string, key: string, from: string | undefined, to: string | undefined): void {
    const index = this.#index(name);
    if (from !== undefined) {
      const keys = index.get(from);
      keys?.delete(key);
      if (keys?.size === 0) index.delete(from);
    }
    if (to === undefined) return;
    const keys = index.get(to) ?? new SortedKeys();
    index.set(to, keys);
    keys.add(key);
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

import type { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type {
  DomainEvent,
  LogPosition,
  ProjectionDefinition,
  ReadProgress,
  RecordedEvent,
  View,
} from '../ports.ts';
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
  waitFor(position: LogPosition, deadlineMs: number): Promise<boolean>;
}

/** Rows of one projection in memory, with their secondary indexes. */
export class MemoryView<Row, E extends DomainEvent> implements View<Row>, SnapshotPart {
  readonly name: string;
  readonly #definition: ProjectionDefinition<Row, E>;
  readonly #source: Source;
  readonly #rows = new LayeredMap<Row>();
  #keys = new SortedKeys();
  readonly #indexes = new Map<string, SecondaryIndex>();

  constructor(definition: ProjectionDefinition<Row, E>, source: Source) {
    this.name = definition.name;
    this.#definition = definition;
    this.#source = source;
    for (const index of Object.keys(definition.indexes ?? {})) this.#indexes.set(index, new SecondaryIndex());
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
    if (after === undefined) {
      this.#rows.delete(key);
      this.#keys.delete(key);
    } else {
      this.#rows.set(key, after);
      if (before === undefined) this.#keys.add(key);
    }
    for (const [name, valueOf] of Object.entries(this.#definition.indexes ?? {})) {
      const from = before === undefined ? undefined : valueOf(before);
      const to = after === undefined ? undefined : valueOf(after);
      if (from !== to) this.#index(name).move(key, from, to);
    }
  }

  reset(): void {
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

  get size(): number {
    return this.#rows.size;
  }

  get(key: string): Row | undefined {
    return this.#rows.get(key);
  }

  list(options: { readonly limit: number; readonly after?: string }): readonly Row[] {
    return this.#rowsOf(this.#keys.slice(options.limit, options.after));
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

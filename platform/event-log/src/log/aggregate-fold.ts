import type { Buffer } from 'node:buffer';
import type { AggregateDefinition, DomainEvent, RecordedEvent } from '../ports.ts';
import type { SnapshotFile } from '../snapshot/file-reader.ts';
import { LayeredMap } from '../snapshot/layered-map.ts';
import type { FrozenPart, SnapshotPart } from '../snapshot/part.ts';
import { decodeValue, encodeValue } from '../snapshot/value-codec.ts';
import type { FoldTarget } from './topic-fold.ts';

/** The folded state of every stream of one aggregate type. */
export class AggregateFold<S, E extends DomainEvent> implements FoldTarget<E>, SnapshotPart {
  readonly #definition: AggregateDefinition<S, E>;
  readonly #states = new LayeredMap<S>();

  constructor(definition: AggregateDefinition<S, E>) {
    this.#definition = definition;
  }

  get name(): string {
    return this.#definition.name;
  }

  get partName(): string {
    return `aggregate ${this.#definition.name}`;
  }

  get modules(): readonly string[] | undefined {
    const { module } = this.#definition;
    return module === undefined ? undefined : [module, import.meta.url];
  }

  apply(event: RecordedEvent<E>): void {
    // The first of a stream needs no look at a map that may hold millions.
    const before = event.version === 1 ? this.#definition.initial : this.state(event.streamId);
    const after = this.#definition.evolve(before, event.event);
    if (after === undefined) this.#states.delete(event.streamId);
    else this.#states.set(event.streamId, after);
  }

  reset(): void {
    this.#states.clear();
  }

  state(streamId: string): S {
    return this.#states.get(streamId) ?? this.#definition.initial;
  }

  freeze(): FrozenPart {
    const frozen = this.#states.freeze();
    return {
      write: (writer) => writer.table(this.partName, frozen, encodeValue),
      thaw: (breather) => this.#states.thaw(breather),
    };
  }

  adopt(file: SnapshotFile<unknown>): void {
    const decode = (bytes: Buffer, start: number): S => decodeValue(bytes, start, file.shapes) as S;
    this.#states.adopt(file.table(this.partName, decode));
  }
}

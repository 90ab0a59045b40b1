import type { AggregateDefinition, DomainEvent, RecordedEvent } from '../ports.ts';
import type { FoldTarget } from './topic-fold.ts';

/** The folded state of every stream of one aggregate type. */
export class AggregateFold<S, E extends DomainEvent> implements FoldTarget<E> {
  readonly #definition: AggregateDefinition<S, E>;
  readonly #states = new Map<string, S>();

  constructor(definition: AggregateDefinition<S, E>) {
    this.#definition = definition;
  }

  get name(): string {
    return this.#definition.name;
  }

  apply(event: RecordedEvent<E>): void {
    this.#states.set(event.streamId, this.#definition.evolve(this.state(event.streamId), event.event));
  }

  reset(): void {
    this.#states.clear();
  }

  state(streamId: string): S {
    return this.#states.get(streamId) ?? this.#definition.initial;
  }
}

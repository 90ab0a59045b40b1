/** The smallest aggregate: a sum. What the suites count with. */
import type { AggregateDefinition, EventTopic, ProjectionDefinition } from '../src/ports.ts';

export interface Counted {
  readonly type: 'Counted';
  readonly data: { readonly by: number; readonly note: string };
}

export const countedSchema = {
  type: 'record',
  name: 'Counted',
  namespace: 'parley.test',
  fields: [
    { name: 'by', type: 'int' },
    { name: 'note', type: 'string' },
  ],
};

export const countedTopic = (name: string): EventTopic<Counted> => ({
  name,
  partitions: 4,
  schemas: { Counted: countedSchema },
});

export const counted = (by: number, note = ''): Counted => ({ type: 'Counted', data: { by, note } });

export const counterOf = (topic: EventTopic<Counted>): AggregateDefinition<number, Counted> => ({
  name: 'counter',
  topic,
  initial: 0,
  evolve: (sum, event) => sum + event.data.by,
});

export interface Sum {
  readonly sum: number;
  readonly events: number;
}

export const sumsOf = (topic: EventTopic<Counted>): ProjectionDefinition<Sum, Counted> => ({
  name: 'sums',
  topic,
  fold: (row, event) => ({ sum: (row?.sum ?? 0) + event.event.data.by, events: (row?.events ?? 0) + 1 }),
});

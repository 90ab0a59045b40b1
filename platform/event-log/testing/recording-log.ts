import { createMemoryBroker, openMemoryLog } from '../src/memory/open.ts';
import type {
  AggregateDefinition,
  Aggregates,
  DomainEvent,
  ProjectionDefinition,
  View,
} from '../src/ports.ts';

const RECORDED_MAX = 1_000;

/** A started log in memory with one aggregate and one read model of it. */
export interface RecordingLog<State, E extends DomainEvent, Row extends object> {
  readonly aggregates: Aggregates<State, E>;
  readonly view: View<Row>;
  /** Every accepted event, by stream and version; at most 1,000. */
  readonly recorded: () => readonly E[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** What a test of a use case starts from: a log that remembers what was recorded in it; on a broker that others use too, or empty. */
export async function recordingLog<State, E extends DomainEvent, Row extends object>(
  aggregate: AggregateDefinition<State, E>,
  projection: ProjectionDefinition<Row, E>,
  broker = createMemoryBroker(),
): Promise<RecordingLog<State, E, Row>> {
  const log = openMemoryLog({ broker });
  const recorded = log.project<E, E>({
    name: 'recorded',
    topic: aggregate.topic,
    key: ({ streamId, version }) => `${streamId} ${String(version)}`,
    fold: (_row, { event }) => event,
  });
  const view = log.project(projection);
  const aggregates = log.aggregate(aggregate);
  await log.start();
  return {
    aggregates,
    view,
    recorded: () => recorded.list({ limit: RECORDED_MAX }),
    [Symbol.asyncDispose]: () => log.close(),
  };
}

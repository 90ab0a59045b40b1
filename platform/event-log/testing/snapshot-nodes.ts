/** Folds that the snapshot tests count with: rows that come, change their index values, and go. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { deriveId } from '../src/ids.ts';
import type {
  AggregateDefinition,
  Aggregates,
  EventLog,
  EventTopic,
  ProjectionDefinition,
  View,
} from '../src/ports.ts';
import { counted, countedTopic, type Counted } from './counter.ts';

export interface Row {
  readonly sum: number;
  readonly events: number;
  readonly notes: ReadonlySet<string>;
}

type Counter = AggregateDefinition<{ readonly sum: number }, Counted>;
type Sums = ProjectionDefinition<Row, Counted>;

export const counterIn = (topic: EventTopic<Counted>): Counter => ({
  name: 'counter',
  topic,
  initial: { sum: 0 },
  evolve: ({ sum }, { data }) => ({ sum: sum + data.by }),
  module: import.meta.url,
});

export const sumsIn = (topic: EventTopic<Counted>): Sums => ({
  name: 'sums',
  topic,
  fold: (row, { event }) => {
    const sum = (row?.sum ?? 0) + event.data.by;
    if (sum % 7 === 0) return undefined;
    return { sum, events: (row?.events ?? 0) + 1, notes: new Set([...(row?.notes ?? []), event.data.note]) };
  },
  indexes: { rest: ({ sum }) => String(sum % 3), few: ({ events }) => (events < 3 ? 'few' : undefined) },
  module: import.meta.url,
});

export interface SnapshotNode {
  readonly log: EventLog;
  readonly counters: Aggregates<{ readonly sum: number }, Counted>;
  readonly view: View<Row>;
}

export interface Definitions {
  readonly counter?: Counter;
  readonly sums?: Sums;
}

/** Declares the folds and starts the log. */
export async function startNode(
  log: EventLog,
  topic: EventTopic<Counted>,
  definitions: Definitions = {},
): Promise<SnapshotNode> {
  const counters = log.aggregate(definitions.counter ?? counterIn(topic));
  const view = log.project(definitions.sums ?? sumsIn(topic));
  await log.start();
  return { log, counters, view };
}

export const streamOf = (stream: number): string => `s-${stream}`;
export const commitIdOf = (commit: string): string => deriveId('snapshots', commit);
export const freshSnapshotTopic = (): EventTopic<Counted> => countedTopic(`snapshots.${randomUUID()}`);
const metadata = { correlationId: 'snapshots' };

export const addTo = ({ counters }: SnapshotNode, stream: number, by: number, commit: string) =>
  counters.execute({
    streamId: streamOf(stream),
    commandId: commitIdOf(commit),
    decide: () => ({ kind: 'events', events: [counted(by)] }),
    metadata,
  });

/** Everything that can be asked of a node, but for the name of the topic. */
export const answersOf = ({ log, counters, view }: SnapshotNode): object => ({
  streams: [...counters.streamIds()].sort().map((id) => {
    const { position, ...stream } = counters.load(id);
    return [id, stream, position?.partition, position?.offset];
  }),
  rows: view.list({ limit: 100 }),
  page: view.list({ limit: 2, after: 's-1' }),
  size: view.size,
  rests: view.values('rest').map((rest) => [rest, view.find('rest', rest, { limit: 100 })]),
  few: view.find('few', 'few', { limit: 2, after: 's-0' }),
  gone: view.find('few', 'no such value', { limit: 2 }),
  stateHash: view.stateHash(),
  progress: log.health().topics.map((counts) => ({ ...counts, topic: undefined })),
});

/** Folders that are removed behind each test. */
export function temporaryFolders(): () => Promise<string> {
  const folders: string[] = [];
  afterEach(async () => {
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
  });
  return async () => {
    const folder = await mkdtemp(join(tmpdir(), 'parley-snapshots-'));
    folders.push(folder);
    return folder;
  };
}

/**
 * The time capsule of a release: a small recorded log with the bytes as they were on the wire, and what the read
 * models of that release made of it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventTopics } from '@parley/contracts/topics';
import {
  openFileLog,
  type DomainEvent,
  type EventTopic,
  type ProjectionDefinition,
  type ReadProgress,
} from '@parley/event-log';
import { isObject } from './json-schema/accepts.ts';
import { everyProjection, type AnyProjection } from './projections.ts';

export const capsulePaths = {
  log: 'capsule/log.ndjson',
  state: 'capsule/state.json',
  messages: 'capsule/queue-messages.json',
} as const;

/** Most rows of one read model in a capsule; a capsule is small. */
export const CAPSULE_ROWS_MAX = 10_000;

/** What one read model made of a capsule's log. */
export interface ReplayedProjection {
  readonly topic: string;
  readonly stateHash: string;
  readonly counts: Pick<ReadProgress, 'accepted' | 'conflicts' | 'duplicates' | 'badRecords'>;
  /** In ascending order of their keys. */
  readonly rows: readonly object[];
}
export type CapsuleState = Readonly<Record<string, ReplayedProjection>>;

/** Replays a log file into read models: as a service does it, from the file instead of Kafka. */
export async function replayCapsule(
  path: string,
  projections: readonly AnyProjection[] = everyProjection,
): Promise<CapsuleState> {
  const log = openFileLog(path);
  const views = projections.map((projection) => ({ projection, view: log.project(projection) }));
  try {
    await log.start();
    return Object.fromEntries(
      views.map(({ projection, view }) => {
        const { accepted, conflicts, duplicates, badRecords } = view.progress();
        return [
          projection.name,
          {
            topic: projection.topic.name,
            stateHash: view.stateHash(),
            counts: { accepted, conflicts, duplicates, badRecords },
            rows: view.list({ limit: CAPSULE_ROWS_MAX }),
          },
        ];
      }),
    );
  } finally {
    await log.close();
  }
}

/** The accepted events of a stream, in order. */
export interface RecordedStream {
  readonly topic: string;
  readonly streamId: string;
  readonly events: readonly DomainEvent[];
}

const collecting = (topic: EventTopic<DomainEvent>): ProjectionDefinition<RecordedStream, DomainEvent> => ({
  name: `streams of ${topic.name}`,
  topic,
  fold: (row, { event, streamId }) => ({
    topic: topic.name,
    streamId,
    events: [...(row?.events ?? []), event],
  }),
});

/** Every accepted event of a capsule as today's reader sees it, by stream. */
export async function streamsOf(path: string): Promise<readonly RecordedStream[]> {
  const log = openFileLog(path);
  const topics: readonly EventTopic<DomainEvent>[] = eventTopics;
  const views = topics.map((topic) => log.project(collecting(topic)));
  try {
    await log.start();
    return views.flatMap((view) => view.list({ limit: CAPSULE_ROWS_MAX }));
  } finally {
    await log.close();
  }
}

/** A message as it was in its queue. */
export interface RecordedMessage {
  readonly exchange: string;
  readonly routingKey: string;
  /** AMQP properties, headers included. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** The body's bytes. */
  readonly bodyBase64: string;
}

const readJsonIfThere = (path: string): unknown =>
  existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as unknown) : undefined;

/** The state that a release recorded; undefined for a release without a capsule. */
export const recordedState = (releaseDir: string): CapsuleState | undefined => {
  const state = readJsonIfThere(join(releaseDir, capsulePaths.state));
  return isObject(state) ? (state as unknown as CapsuleState) : undefined; // written by writeCapsuleState, frozen since
};

/** The queue messages that a release recorded. */
export const recordedMessages = (releaseDir: string): readonly RecordedMessage[] => {
  const messages = readJsonIfThere(join(releaseDir, capsulePaths.messages));
  return Array.isArray(messages) ? (messages as RecordedMessage[]) : []; // frozen as the release wrote it
};

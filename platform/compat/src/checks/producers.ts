/**
 * What is written today, read by each release. Today's producer is the real one: events go through the event log's own
 * write path, and the bytes that lie in the log afterwards are read with the frozen schemas.
 */
import type { Buffer } from 'node:buffer';
import { join } from 'node:path';
import { eventTopics } from '@parley/contracts/topics';
import {
  createMemoryBroker,
  deriveId,
  logHeaders,
  openMemoryLog,
  scanLogFile,
  type DomainEvent,
  type EventTopic,
} from '@parley/event-log';
import avsc, { type Schema } from 'avsc';
import { capsulePaths, streamsOf, type RecordedStream } from '../capsule.ts';
import { fullNameOf } from '../contract-files.ts';
import { isObject, type JsonSchemaObject } from '../json-schema/accepts.ts';
import type { Release } from '../released.ts';
import { CURRENT, type CheckResult, type Finding } from '../report.ts';

const PREFIX_BYTES = 5;
const FINDINGS_MAX = 20;

/** A record as today's producer wrote it. */
export interface ProducedRecord {
  readonly event: DomainEvent;
  /** The Avro body, without magic byte and id. */
  readonly body: Buffer;
  readonly writerSchema: object;
  readonly headers: readonly string[];
}

/** Appends the events as a service would, and takes what lies in the log. @throws Error when the log refuses one. */
export async function produce(streams: readonly RecordedStream[]): Promise<readonly ProducedRecord[]> {
  const broker = createMemoryBroker();
  const log = openMemoryLog({ broker });
  const topics: readonly EventTopic<DomainEvent>[] = eventTopics;
  const writers = new Map(
    topics.map((topic) => {
      const definition = { name: topic.name, topic, initial: undefined, evolve: () => undefined };
      return [topic.name, log.aggregate<undefined, DomainEvent>(definition)] as const;
    }),
  );
  const produced: ProducedRecord[] = [];
  await log.start();
  try {
    for (const { topic, streamId, events } of streams) {
      const commitId = deriveId('producer-check', topic, streamId);
      const outcome = await writers.get(topic)?.append({
        commitId,
        streamId,
        baseVersion: 0,
        previousCommitId: undefined,
        events,
        metadata: { correlationId: commitId, causationId: commitId },
      });
      if (outcome?.kind !== 'accepted')
        throw new Error(`${streamId}: the append ended as ${outcome?.kind ?? 'no topic'}`);
      const { partition } = outcome.position;
      for (const [index, { value, headers }] of broker
        .records(topic, partition)
        .slice(-events.length)
        .entries()) {
        const event = events[index];
        if (event === undefined || value === null) throw new Error(`${streamId}: a record without event`);
        const writerSchema = await broker.schemas.fetch(value.readUInt32BE(1));
        if (writerSchema === undefined) throw new Error(`${streamId}: no schema was registered`);
        const body = value.subarray(PREFIX_BYTES);
        produced.push({ event, body, writerSchema, headers: Object.keys(headers ?? {}) });
      }
    }
  } finally {
    await log.close();
  }
  return produced;
}

const fieldNames = (schema: JsonSchemaObject): readonly string[] =>
  (Array.isArray(schema.fields) ? schema.fields : []).filter(isObject).map(({ name }) => String(name));

/** Reads one record with a released schema: every field of it must have the value that was written. */
function readBack(record: ProducedRecord, released: JsonSchemaObject): readonly string[] {
  const reader = avsc.Type.forSchema(structuredClone(released) as unknown as Schema);
  const writer = avsc.Type.forSchema(structuredClone(record.writerSchema) as Schema);
  let read: { readonly value: unknown; readonly offset: number };
  try {
    read = reader.decode(record.body, 0, reader.createResolver(writer));
  } catch (error) {
    return [`${record.event.type}: ${error instanceof Error ? error.message : String(error)}`];
  }
  const written: unknown = record.event.data;
  if (!isObject(read.value) || !isObject(written) || read.offset !== record.body.length)
    return [`${record.event.type}: the bytes are not one record`];
  const value = read.value;
  return fieldNames(released)
    .filter((name) => name in written && JSON.stringify(value[name]) !== JSON.stringify(written[name]))
    .map(
      (name) =>
        `${record.event.type}.${name} was written as ${JSON.stringify(written[name])} and read as ${JSON.stringify(value[name])}`,
    );
}

/** Header names that every record of a capsule has. */
async function headersOf(path: string): Promise<ReadonlySet<string>> {
  const common = new Set<string>(Object.values(logHeaders));
  await scanLogFile(path, {
    onRecords: (records) => {
      for (const { record } of records)
        for (const name of common) if (record.headers?.[name] === undefined) common.delete(name);
    },
  });
  return common;
}

/** Every event of the capsules, written by today's code and read by each release. */
export async function checkProducers(releases: readonly Release[]): Promise<CheckResult> {
  const findings: Finding[] = [];
  const paths = releases.map(({ dir }) => join(dir, capsulePaths.log));
  const streams = (await Promise.all(paths.map(streamsOf))).flatMap((found, index) =>
    found.map((stream) => ({ ...stream, streamId: `${index}-${stream.streamId}` })),
  );
  const records = await produce(streams);
  let compared = 0;
  for (const release of releases) {
    const say = (contract: string, rule: string, broke: string): void => {
      findings.push({
        contract,
        rule: `producer/${rule}`,
        versions: { released: release.version, current: CURRENT },
        broke: `a consumer of ${release.version} reads today's records differently: ${broke}`,
        remedy: 'Write what that consumer understands; put the new meaning into a new field.',
      });
    };
    const expected = await headersOf(join(release.dir, capsulePaths.log));
    for (const record of records) {
      const name = fullNameOf(record.writerSchema as JsonSchemaObject);
      const released = release.contracts.events.get(name);
      if (released === undefined) continue; // an event that this release does not know is not for its consumers
      compared++;
      for (const broke of readBack(record, released)) say(`avro ${name}`, 'value', broke);
      for (const header of expected)
        if (!record.headers.includes(header)) say(`avro ${name}`, 'header', `header ${header} is gone`);
    }
  }
  const once = findings.filter(
    ({ broke, contract }, index) =>
      findings.findIndex((other) => other.broke === broke && other.contract === contract) === index,
  );
  return { check: 'producer output', compared, findings: once.slice(0, FINDINGS_MAX) };
}

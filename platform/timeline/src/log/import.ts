/** `npm run log -- import`: a file becomes a log again, with the same offsets, verdicts and state hashes. */
import { beyondLimits, timestampOf } from '@parley/contracts/limits';
import { scanLogFile, type LogFileRecord, type LogFileSummary } from '@parley/event-log';
import {
  commitHeaderOf,
  kafkaClient,
  KafkaTransport,
  registryStore,
  type RawRecord,
} from '@parley/event-log/tools';
import kafkajs, { type Message, type Producer } from 'kafkajs';
import { CommandError } from '../cli/exit.ts';
import type { Inspected } from '../inspect/inspector.ts';
import { inspectTopic } from '../inspect/scan.ts';
import { projections, topics } from '../projections.ts';
import { bar, type Output } from '../render/output.ts';
import { byTopic, Rebuild } from '../replay/rebuild.ts';
import { openFileSource } from '../source/file-source.ts';
import { openKafkaSource, type KafkaSourceOptions } from '../source/kafka-source.ts';
import type { LogSource } from '../source/log-source.ts';
import { SchemaMapping } from './schema-mapping.ts';

/** Bytes and records of a batch, past which the next commit goes into the next one. A commit is never split. */
const BATCH_BYTES = 800_000;
const BATCH_RECORDS = 1000;
const RECORD_OVERHEAD_BYTES = 100;

/** A projection rebuilt from the file and from the log that was made of it. */
export interface ImportedProjection {
  readonly projection: string;
  readonly fileHash: string;
  readonly logHash: string;
}

export interface ImportReport {
  readonly records: number;
  readonly counts: LogFileSummary['counts'];
  /** Old id to new id, where the registry gave another one. */
  readonly renumberedSchemas: Readonly<Record<string, number>>;
  /** Values of which the schema id was rewritten. */
  readonly rewrittenValues: number;
  /** Headers that were null: the client can only write them as empty. No verdict depends on it. */
  readonly nullHeadersWrittenEmpty: number;
  readonly projections: readonly ImportedProjection[];
  readonly identical: boolean;
}

/** Kafka's default for `log.message.timestamp.after.max.ms`: it refuses a record from further ahead. */
const TIMESTAMP_AHEAD_MS = 3_600_000;

interface Running {
  readonly output: Output;
  readonly signal: AbortSignal;
}

/** @throws CommandError (failed) when the log is not empty, refuses a schema, or someone else writes to it. */
export async function importLog(
  file: string,
  target: KafkaSourceOptions,
  running: Running,
): Promise<ImportReport> {
  const latestMs = Date.now() + TIMESTAMP_AHEAD_MS;
  const summary = await scanLogFile(file, {
    signal: running.signal,
    onRecords: (records) => {
      for (const record of records) assertNotAhead(record, latestMs);
    },
  });
  await assertCarriable(file, running);
  const log = await openKafkaSource(target);
  try {
    await assertEmpty(log, summary);
    const mapping = await prepare(summary, target, running.signal);
    const written = await write(file, summary, mapping, target, running);
    const rebuilt = await compare(file, log, running);
    return {
      records: summary.records,
      counts: summary.counts,
      renumberedSchemas: mapping.renumbered,
      ...written,
      projections: rebuilt,
      identical: rebuilt.every(({ fileHash, logHash }) => fileHash === logHash),
    };
  } finally {
    await log.close();
  }
}

/** @throws CommandError for a record that the broker would refuse, when half of the log is written already. */
function assertNotAhead({ topic, partition, record }: LogFileRecord, latestMs: number): void {
  const timeMs = Number(record.timestamp);
  if (timeMs <= latestMs) return;
  throw new CommandError(
    'failed',
    `${topic}/${String(partition)}@${record.offset} was recorded at ${timestampOf(timeMs)}, more than an hour ahead of this machine: Kafka takes no such record. Nothing was imported; look at the clocks`,
  );
}

/** @throws CommandError for an accepted event with a value that some protocol cannot carry, naming the field. */
async function assertCarriable(file: string, { output, signal }: Running): Promise<void> {
  const recorded = await openFileSource(file, signal);
  const there = await recorded.topics();
  for (const topic of topics.filter(({ name }) => there.has(name))) {
    let problem: string | undefined; // thrown afterwards: a fold counts what its listeners throw, and goes on
    const inspect = ({ verdict, event, partition, offset }: Inspected): void => {
      const found = verdict === 'accepted' && event !== undefined ? beyondLimits(event) : undefined;
      if (found === undefined || event === undefined) return;
      problem ??= `${topic.name}/${String(partition)}@${String(offset)}: ${event.type}.${found.field} ${found.why}. Nothing was imported`;
    };
    await inspectTopic(recorded, topic, inspect, { output, signal });
    if (problem !== undefined) throw new CommandError('failed', problem);
  }
}

async function assertEmpty(log: LogSource, { header }: LogFileSummary): Promise<void> {
  for (const [name, { partitions }] of Object.entries(header.topics)) {
    const ends = await log.endOffsets(name);
    if (ends.some((end) => end > 0))
      throw new CommandError(
        'failed',
        `${name} is not empty in ${log.name}: a log is imported into an empty one only. Start engines on a run folder of their own: see docs/time-travel.md`,
      );
    if (ends.length > 0 && ends.length !== partitions)
      throw new CommandError(
        'failed',
        `${name} has ${String(ends.length)} partitions in ${log.name} and ${String(partitions)} in the file`,
      );
  }
}

/** Makes the topics as the services make them, and registers the schemas. */
async function prepare(
  { header }: LogFileSummary,
  target: KafkaSourceOptions,
  signal: AbortSignal,
): Promise<SchemaMapping> {
  const transport = new KafkaTransport({ ...target, clientId: 'timeline-import' });
  try {
    const topics = Object.entries(header.topics).map(([name, { partitions }]) => ({ name, partitions }));
    await transport.connect(topics, signal);
    return await SchemaMapping.register(header.schemas, registryStore(target.registryUrl));
  } finally {
    await transport.close();
  }
}

async function write(
  file: string,
  summary: LogFileSummary,
  mapping: SchemaMapping,
  target: KafkaSourceOptions,
  { output, signal }: Running,
): Promise<Pick<ImportReport, 'rewrittenValues' | 'nullHeadersWrittenEmpty'>> {
  const kafka = kafkaClient({ ...target, clientId: 'timeline-import' });
  const producer = kafka.producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
    idempotent: true, // a repeated send must not shift the offsets
    maxInFlightRequests: 1,
  });
  await producer.connect();
  const writer = new ImportWriter(producer, mapping);
  const startedAtMs = performance.now();
  let done = 0;
  try {
    await scanLogFile(file, {
      signal,
      onRecords: async (records) => {
        for (const { topic, partition, record } of records) await writer.add(topic, partition, record);
        done += records.length;
        const seconds = (performance.now() - startedAtMs) / 1000;
        output.progress(bar('import', { done, total: summary.records, seconds }));
      },
    });
    await writer.flush();
  } finally {
    await producer.disconnect();
  }
  output.progress('');
  return { rewrittenValues: writer.rewrittenValues, nullHeadersWrittenEmpty: writer.nullHeaders };
}

interface Batch {
  readonly topic: string;
  readonly partition: number;
  records: RawRecord[];
  bytes: number;
}

/** Gathers the records of each partition and sends them in batches that end where a commit ends. */
class ImportWriter {
  readonly #producer: Producer;
  readonly #mapping: SchemaMapping;
  readonly #batches = new Map<string, Batch>();
  rewrittenValues = 0;
  nullHeaders = 0;

  constructor(producer: Producer, mapping: SchemaMapping) {
    this.#producer = producer;
    this.#mapping = mapping;
  }

  async add(topic: string, partition: number, record: RawRecord): Promise<void> {
    const name = `${topic}/${String(partition)}`;
    const batch = this.#batches.get(name) ?? { topic, partition, records: [], bytes: 0 };
    this.#batches.set(name, batch);
    const full = batch.bytes >= BATCH_BYTES || batch.records.length >= BATCH_RECORDS;
    if (full && !continuesCommit(record)) await this.#send(batch);
    batch.records.push(record);
    batch.bytes += sizeOfRecord(record);
  }

  async flush(): Promise<void> {
    for (const batch of this.#batches.values()) await this.#send(batch);
  }

  async #send(batch: Batch): Promise<void> {
    const { topic, partition, records } = batch;
    const [first] = records;
    if (first === undefined) return;
    const messages: Message[] = [];
    for (const record of records) {
      const { key, timestamp } = record;
      const value = await this.#mapping.rewritten(record.value);
      if (value !== record.value) this.rewrittenValues++;
      messages.push({ partition, key, value, timestamp, headers: this.#headersOf(record) });
    }
    const answers = await this.#producer.send({ topic, acks: -1, messages });
    const answer = answers.find((candidate) => candidate.partition === partition);
    if (answer?.errorCode !== 0 || answer.baseOffset !== first.offset)
      throw new CommandError(
        'failed',
        `${topic}/${String(partition)}: written at ${String(answer?.baseOffset)} instead of ${first.offset}: someone else writes to this log. It is not what the file says; begin with an empty one`,
      );
    batch.records = [];
    batch.bytes = 0;
  }

  /** The client cannot write a header that is null. */
  #headersOf({ headers = {} }: RawRecord): Record<string, Buffer | string | (Buffer | string)[]> {
    const one = (value: Buffer | string | null | undefined): Buffer | string => {
      if (value !== null && value !== undefined) return value;
      this.nullHeaders++;
      return Buffer.alloc(0);
    };
    return Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.map(one) : one(value),
      ]),
    );
  }
}

const continuesCommit = (record: RawRecord): boolean => (commitHeaderOf(record)?.index ?? 0) > 0;

function sizeOfRecord({ key, value, headers = {} }: RawRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, header] of Object.entries(headers))
    for (const one of Array.isArray(header) ? header : [header])
      bytes += name.length + (one?.length ?? 0) + 8;
  return bytes;
}

/** Rebuilds every read model from the file and from the log. */
async function compare(
  file: string,
  log: LogSource,
  { output, signal }: Running,
): Promise<readonly ImportedProjection[]> {
  const recorded = await openFileSource(file, signal);
  const compared: ImportedProjection[] = [];
  for (const [topic, definitions] of byTopic(projections)) {
    const ends = await recorded.endOffsets(topic.name);
    if (ends.length === 0) continue;
    const builds = [new Rebuild(recorded, topic, definitions), new Rebuild(log, topic, definitions)] as const;
    for (const [index, rebuild] of builds.entries()) {
      const label = `verify ${topic.name} (${index === 0 ? 'file' : 'log'})`;
      const startedAtMs = performance.now();
      await rebuild.to(ends, {
        signal,
        onProgress: (done, total) => {
          output.progress(bar(label, { done, total, seconds: (performance.now() - startedAtMs) / 1000 }));
        },
      });
    }
    const [ofFile, ofLog] = builds;
    for (const { name } of definitions)
      compared.push({
        projection: name,
        fileHash: ofFile.view(name).stateHash(),
        logHash: ofLog.view(name).stateHash(),
      });
  }
  output.progress('');
  return compared;
}

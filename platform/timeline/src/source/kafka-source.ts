import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { kafkaClient, registryStore } from '@parley/event-log/tools';
import type { Admin, Consumer, Kafka } from 'kafkajs';
import type { Logger } from 'pino';
import { z } from 'zod';
import { CommandError, messageOf } from '../cli/exit.ts';
import type { LogSource, OnRecords, ReadRange } from './log-source.ts';

/** Fewer and larger answers than a service asks for: nothing else wants this process's memory or its latency. */
const FETCH_BYTES_PER_PARTITION = 4 * 1024 * 1024;
const FETCH_BYTES = 16 * 1024 * 1024;
const PROBE_MS = 3000;
const REGISTRY_MS = 5000;
/** Without a record for so long, a read that has an end is given up. */
const STALL_MS = 30_000;

export interface KafkaSourceOptions {
  /** host:port of one or more brokers, separated by commas. */
  readonly bootstrap: string;
  /** Base URL of the registry's Confluent-compatible API. */
  readonly registryUrl: string;
  readonly logger: Logger;
}

const SchemaVersions = z.array(z.looseObject({ subject: z.string(), version: z.int() }));

/** Rejects with what to do when nobody listens there: kafkajs alone would try for minutes. */
export async function probe(what: string, host: string, port: number): Promise<void> {
  const socket = connect({ host, port, timeout: PROBE_MS });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
      socket.once('timeout', () => {
        reject(new Error(`no answer within ${String(PROBE_MS)} ms`));
      });
    });
  } catch (error) {
    throw new CommandError(
      'environment',
      `${what} does not answer at ${host}:${String(port)} (${messageOf(error)}). Start a stack with npm run dev`,
      error,
    );
  } finally {
    socket.destroy();
  }
}

/** One broker that answers is enough: kafkajs asks it for the others. @throws CommandError (environment), of the last one */
async function probeBrokers(bootstrap: string): Promise<void> {
  const answers = await Promise.allSettled(
    bootstrap.split(',').map((address) => {
      const [host = '', port = ''] = address.split(':');
      return probe('Kafka', host, Number(port));
    }),
  );
  const refused = answers.findLast((answer) => answer.status === 'rejected');
  if (refused !== undefined && answers.every(({ status }) => status === 'rejected')) throw refused.reason;
}

/** A log on Kafka, read-only. @throws CommandError (environment) when nobody listens at the addresses. */
export async function openKafkaSource(options: KafkaSourceOptions): Promise<LogSource> {
  await probeBrokers(options.bootstrap);
  const registry = new URL(options.registryUrl);
  await probe('the schema registry', registry.hostname, Number(registry.port === '' ? 80 : registry.port));
  const kafka = kafkaClient({ clientId: 'timeline', bootstrap: options.bootstrap, logger: options.logger });
  const admin = kafka.admin();
  await admin.connect();
  return new KafkaSource(options, kafka, admin);
}

class KafkaSource implements LogSource {
  readonly name: string;
  readonly schemas: LogSource['schemas'];
  readonly #kafka: Kafka;
  readonly #admin: Admin;
  readonly #registryUrl: string;

  constructor(options: KafkaSourceOptions, kafka: Kafka, admin: Admin) {
    this.name = `Kafka at ${options.bootstrap}`;
    this.schemas = registryStore(options.registryUrl);
    this.#registryUrl = options.registryUrl;
    this.#kafka = kafka;
    this.#admin = admin;
  }

  async versionOf(schemaId: number, subject: string): Promise<number | undefined> {
    const response = await fetch(`${this.#registryUrl}/schemas/ids/${String(schemaId)}/versions`, {
      signal: AbortSignal.timeout(REGISTRY_MS),
    });
    if (!response.ok) return undefined;
    const versions = SchemaVersions.parse(await response.json());
    return versions.find((version) => version.subject === subject)?.version;
  }

  async topics(): Promise<ReadonlyMap<string, number>> {
    const { topics } = await this.#admin.fetchTopicMetadata();
    return new Map(topics.map(({ name, partitions }) => [name, partitions.length]));
  }

  async endOffsets(topic: string): Promise<readonly number[]> {
    if (!(await this.topics()).has(topic)) return [];
    const ends: number[] = [];
    for (const { partition, low, high } of await this.#admin.fetchTopicOffsets(topic)) {
      if (Number(low) > 0)
        throw new CommandError(
          'failed',
          `${topic}/${String(partition)} begins at ${low}: its beginning was deleted, and nothing can be rebuilt from it`,
        );
      ends[partition] = Number(high);
    }
    return ends;
  }

  async offsetsAfter(topic: string, timeMs: number): Promise<readonly number[]> {
    const found = [...(await this.endOffsets(topic))];
    if (found.length === 0) return found;
    // Kafka's answer is the first offset at or after the time it is asked for.
    for (const { partition, offset } of await this.#admin.fetchTopicOffsetsByTimestamp(topic, timeMs + 1))
      found[partition] = Math.min(Number(offset), found[partition] ?? 0);
    return found;
  }

  async read(range: ReadRange, onRecords: OnRecords, signal?: AbortSignal): Promise<void> {
    const bounded = range.to.every(Number.isFinite);
    if (bounded && range.to.every((end, partition) => (range.from[partition] ?? 0) >= end)) return;
    const consumer = this.#kafka.consumer({
      groupId: `parley.timeline.${randomUUID()}`, // a group of one; it commits nothing and is gone when it leaves
      sessionTimeout: 30_000,
      heartbeatInterval: 3000,
      minBytes: 1,
      maxWaitTimeInMs: 500,
      maxBytesPerPartition: FETCH_BYTES_PER_PARTITION,
      maxBytes: FETCH_BYTES,
      allowAutoTopicCreation: false,
      readUncommitted: true, // the log as it lies there: what a stranger's transaction leaves out would be a gap
    });
    const reading = new Reading(range, onRecords, consumer);
    const stop = (): void => {
      reading.end();
    };
    signal?.addEventListener('abort', stop);
    const stalled = bounded ? reading.watch(STALL_MS) : undefined;
    try {
      await consumer.connect();
      await consumer.subscribe({ topic: range.topic, fromBeginning: true });
      await reading.run();
      if (signal?.aborted === true) reading.end();
      await reading.done;
    } finally {
      clearInterval(stalled);
      signal?.removeEventListener('abort', stop);
      await consumer.disconnect().catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    await this.#admin.disconnect();
  }
}

/** One pass of one consumer over one range. */
class Reading {
  readonly #range: ReadRange;
  readonly #onRecords: OnRecords;
  readonly #consumer: Consumer;
  readonly #next: number[];
  readonly #settled = Promise.withResolvers<undefined>();
  #over = false;
  #lastAtMs = Date.now();

  constructor(range: ReadRange, onRecords: OnRecords, consumer: Consumer) {
    this.#range = range;
    this.#onRecords = onRecords;
    this.#consumer = consumer;
    this.#next = range.to.map((_, partition) => range.from[partition] ?? 0);
    this.#settled.promise.catch(() => undefined); // it may fail before anybody waits for it
  }

  get done(): Promise<undefined> {
    return this.#settled.promise;
  }

  end(): void {
    this.#over = true;
    this.#settled.resolve(undefined);
  }

  #fail(error: Error): void {
    this.#over = true;
    this.#settled.reject(error);
  }

  watch(stallMs: number): NodeJS.Timeout {
    return setInterval(() => {
      if (Date.now() - this.#lastAtMs < stallMs) return;
      const { topic } = this.#range;
      this.#fail(
        new CommandError(
          'environment',
          `${topic}: nothing came for ${String(stallMs / 1000)} s at [${this.#next.join(', ')}]. Does Kafka still run?`,
        ),
      );
    }, 1000);
  }

  run(): Promise<void> {
    const { topic } = this.#range;
    this.#consumer.on(this.#consumer.events.GROUP_JOIN, () => {
      for (const [partition, next] of this.#next.entries())
        this.#consumer.seek({ topic, partition, offset: String(next) });
    });
    this.#consumer.on(this.#consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart) this.#fail(payload.error);
    });
    return this.#consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: this.#next.length,
      eachBatch: async (payload) => {
        const { batch } = payload;
        if (this.#over || payload.isStale()) return;
        const { partition } = batch;
        const next = this.#next[partition] ?? 0;
        const to = this.#range.to[partition] ?? 0;
        // A fetch answers whole batches, so the first records may lie before what was asked for.
        const records = batch.messages.filter(({ offset }) => Number(offset) >= next && Number(offset) < to);
        const [first] = records;
        if (first === undefined) return;
        if (Number(first.offset) !== next) {
          this.#fail(
            new CommandError(
              'failed',
              `${topic}/${String(partition)}: ${first.offset} follows ${String(next - 1)}: a hole in the log`,
            ),
          );
          return;
        }
        try {
          await this.#onRecords(partition, records);
        } catch (error) {
          this.#fail(error instanceof Error ? error : new Error(messageOf(error)));
          return;
        }
        this.#next[partition] = next + records.length;
        this.#lastAtMs = Date.now();
        if (this.#next.every((reached, index) => reached >= (this.#range.to[index] ?? 0))) this.end();
        else await payload.heartbeat();
      },
    });
  }
}

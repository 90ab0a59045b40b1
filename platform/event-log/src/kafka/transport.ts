import kafkajs, { type Admin, type ISocketFactory, type Kafka, type Producer } from 'kafkajs';
import type { Logger } from 'pino';
import type { SchemaStore } from '../avro/codec.ts';
import {
  type DeclaredTopic,
  type GroupListener,
  type NewRecord,
  type ReadOptions,
  type TopicFault,
  type TopicListener,
  type Transport,
} from '../log/transport.ts';
import { kafkaClient } from './client.ts';
import { CombinedSends } from './combined-sends.ts';
import { joinGroup, memberOf } from './group-member.ts';
import { registryStore } from './registry.ts';
import { SupervisedConsumer, type SupervisedConsumerOptions } from './supervised-consumer.ts';
import { readerOf, readTopic } from './topic-reader.ts';
import {
  assertDurability,
  checkTopics,
  lookAgain,
  makeTopics,
  type TopicDurability,
} from './topic-settings.ts';
import { PACKED_BY_OTHERS, TopicWatch } from './topic-watch.ts';
import { untilItWorks } from './until-it-works.ts';

/** A topic is altered by hand, and seldom; a look is two requests. */
const TOPIC_CHECK_MS = 30_000;

export interface KafkaTransportOptions {
  readonly clientId: string;
  /** host:port of one or more brokers, separated by commas */
  readonly bootstrap: string;
  /** Base URL of the registry's Confluent-compatible API. */
  readonly registryUrl: string;
  readonly logger: Logger;
  /** How many copies there are of each topic. Default: what the brokers have as their defaults. */
  readonly durability?: TopicDurability;
  /** How often the settings of the topics are looked at while the log runs. Default: every 30 s. */
  readonly topicCheckMs?: number;
  /** How brokers are reached; default: plain TCP. */
  readonly socketFactory?: ISocketFactory;
}

export class KafkaTransport implements Transport {
  readonly schemas: SchemaStore;
  readonly #options: KafkaTransportOptions;
  readonly #kafka: Kafka;
  readonly #producer: Producer;
  readonly #sends: CombinedSends;
  readonly #readers = new Set<SupervisedConsumer>();
  readonly #members: SupervisedConsumer[] = [];
  readonly #partitions = new Map<string, number>();
  #topicWatch: TopicWatch | undefined;
  readonly #closing = new AbortController();

  constructor(options: KafkaTransportOptions) {
    assertDurability(options.durability ?? {});
    this.#options = options;
    this.#kafka = kafkaClient(options);
    this.#producer = this.#kafka.producer({
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      allowAutoTopicCreation: false,
      // The outbox repeats, each partition for itself: kafkajs would send all that travels together once more for one that
      // fails, and keep all of it waiting.
      retry: { retries: 0 },
    });
    this.#sends = new CombinedSends(this.#producer);
    const store = registryStore(options.registryUrl, this.#closing.signal);
    this.schemas = {
      register: (subject, schema) =>
        this.#untilItWorks('the schema registry', this.#closing.signal, () =>
          store.register(subject, schema),
        ),
      fetch: (id) => this.#untilItWorks('the schema registry', this.#closing.signal, () => store.fetch(id)),
    };
  }

  /** @throws TopicsRefused when a topic is there with settings that the log is not built on. */
  async connect(topics: readonly DeclaredTopic[], signal: AbortSignal): Promise<void> {
    for (const { name, partitions } of topics) this.#partitions.set(name, partitions);
    const { durability = {}, logger } = this.#options;
    const { advice, areTold } = await this.#untilItWorks(`Kafka at ${this.#options.bootstrap}`, signal, () =>
      this.#administer(async (admin) => {
        await makeTopics(admin, topics, durability);
        return checkTopics(admin, topics, durability);
      }),
    );
    if (advice.length > 0) logger.warn({ advice }, PACKED_BY_OTHERS);
    await this.#untilItWorks(`Kafka at ${this.#options.bootstrap}`, signal, () => this.#producer.connect());
    if (!areTold)
      logger.warn(
        { topics: topics.map(({ name }) => name) },
        'the broker does not tell the settings of the topics; that they never expire and are never compacted was not checked',
      );
    this.#topicWatch = new TopicWatch({
      look: () =>
        this.#administer(async (admin) => {
          const seen = await lookAgain(admin, topics, durability);
          return seen.areTold || seen.faults.length > 0 ? seen : undefined;
        }),
      first: areTold ? { faults: [], advice } : undefined,
      everyMs: this.#options.topicCheckMs ?? TOPIC_CHECK_MS,
      logger,
    });
    if (!this.#closing.signal.aborted) this.#topicWatch.start();
  }

  topicFaults(): readonly TopicFault[] | undefined {
    return this.#topicWatch?.faults;
  }

  endOffsets(topic: string): Promise<readonly number[]> {
    return this.#untilItWorks(`the end offsets of ${topic}`, this.#closing.signal, () =>
      this.#administer(async (admin) => {
        const offsets = await admin.fetchTopicOffsets(topic);
        const ends = Array.from({ length: this.#partitionsOf(topic) }, () => 0);
        for (const { partition, high } of offsets) ends[partition] = Number(high);
        if (offsets.length !== ends.length) {
          throw new Error(
            `${topic} has ${String(offsets.length)} partitions, ${String(ends.length)} are declared`,
          );
        }
        return ends;
      }),
    );
  }

  send(topic: string, partition: number, records: readonly NewRecord[]): Promise<void> {
    return this.#sends.send(topic, partition, records);
  }

  async read(topic: string, listener: TopicListener, how: ReadOptions = {}): Promise<() => Promise<void>> {
    const options = {
      topic,
      partitions: this.#partitionsOf(topic),
      listener,
      logger: this.#options.logger,
      endOffsets: () => this.endOffsets(topic),
      fetchEveryMs: how.fetchEveryMs,
    };
    const reader = this.#supervised({
      what: `a reader of ${topic}`,
      make: () => readerOf(this.#kafka, how),
      run: (consumer, signal) => readTopic(consumer, { ...options, signal }),
      onMissing: (why) => {
        listener.onWaiting?.(undefined, why && `a new consumer, as the last one has ended (${why})`);
      },
    });
    this.#readers.add(reader);
    await reader.start();
    return async () => {
      this.#readers.delete(reader);
      await reader.close();
    };
  }

  async join(
    group: string,
    topic: string,
    listener: GroupListener,
    { gatherMs }: Pick<ReadOptions, 'gatherMs'> = {},
  ): Promise<void> {
    const options = {
      kafka: this.#kafka,
      group,
      topic,
      partitions: this.#partitionsOf(topic),
      listener,
      logger: this.#options.logger,
    };
    const member = this.#supervised({
      what: `consumer group ${group}`,
      make: () => memberOf(this.#kafka, group, gatherMs),
      run: (consumer, signal) => joinGroup(consumer, { ...options, signal }),
    });
    this.#members.push(member);
    await member.start();
  }

  async leaveGroups(): Promise<void> {
    await Promise.all(this.#members.splice(0).map((member) => member.close()));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#topicWatch?.stop();
    await this.leaveGroups();
    await Promise.all([...this.#readers].map((reader) => reader.close()));
    this.#readers.clear();
    await this.#producer.disconnect().catch(() => undefined);
  }

  #supervised(
    parts: Pick<SupervisedConsumerOptions, 'what' | 'make' | 'run' | 'onMissing'>,
  ): SupervisedConsumer {
    return new SupervisedConsumer({
      ...parts,
      logger: this.#options.logger,
      signal: this.#closing.signal,
    });
  }

  /** One errand on a connection of its own: between errands there is nothing to keep. */
  async #administer<T>(errand: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = this.#kafka.admin();
    try {
      await admin.connect();
      return await errand(admin);
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }

  #partitionsOf(topic: string): number {
    const partitions = this.#partitions.get(topic);
    if (partitions === undefined) throw new RangeError(`${topic} was not declared`);
    return partitions;
  }

  #untilItWorks<T>(what: string, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    return untilItWorks({ what, signal, logger: this.#options.logger }, attempt);
  }
}

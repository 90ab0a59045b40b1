/** Batches that others have packed, in a topic of the log. The broker packs with the codecs of Java's own libraries. */
import { startTestEngines, type TestEngines } from '@parley/engines/testing';
import kafkajs, { type Admin, type Message } from 'kafkajs';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { counterOf, type Counted } from '../../testing/counter.ts';
import { echoLimits, freshTopic, run, WAIT_MS_MAX } from '../../testing/harness.ts';
import type { Aggregates, EventLog, EventTopic } from '../ports.ts';
import { kafkaClient } from './client.ts';
import { openKafkaLog } from './open.ts';

const logger = pino({ level: 'silent' });
const BOMB_BYTES = 100_000_000;
let engines: TestEngines;
let admin: Admin;
beforeAll(async () => {
  engines = await startTestEngines({ only: ['kafka', 'registry'] });
  admin = kafkaClient({ clientId: 'stranger', bootstrap: engines.bootstrap, logger }).admin();
  await admin.connect();
});
afterAll(async () => {
  await admin.disconnect();
  await engines.stop();
});

interface Started {
  readonly log: EventLog;
  readonly counters: Aggregates<number, Counted>;
  readonly warned: string[];
}

const started = async (topic: EventTopic<Counted>): Promise<Started> => {
  const warned: string[] = [];
  const log = openKafkaLog({
    service: 'packed',
    clientId: 'packed',
    bootstrap: engines.bootstrap,
    registryUrl: engines.registryUrl,
    logger: pino({ level: 'warn' }, { write: (line) => void warned.push(line) }),
    limits: echoLimits,
  });
  onTestFinished(() => log.close());
  const counters = log.aggregate(counterOf(topic));
  await log.start();
  return { log, counters, warned };
};

const packAs = (topic: string, value: string): Promise<unknown> =>
  admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name: topic,
        configEntries: [
          { name: 'compression.type', value },
          { name: 'retention.ms', value: '-1' },
          { name: 'retention.bytes', value: '-1' },
          { name: 'unclean.leader.election.enable', value: 'false' },
        ],
      },
    ],
  });

const send = async (topic: string, messages: Message[], compression: kafkajs.CompressionTypes) => {
  // A busy broker takes its time over what it has to unpack, and may not lead for a moment after it.
  const kafka = new kafkajs.Kafka({
    clientId: 'packer',
    brokers: engines.bootstrap.split(','),
    requestTimeout: WAIT_MS_MAX,
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const producer = kafka.producer({ retry: { retries: 20, maxRetryTime: 5000 } });
  await producer.connect();
  try {
    await producer.send({ topic, acks: -1, messages, compression });
  } finally {
    await producer.disconnect();
  }
};

it.each(['gzip', 'zstd', 'lz4', 'snappy'])(
  'events in batches that the broker packs by %s are read, also after a restart; what is no event counts as a bad record',
  async (codec) => {
    const topic = { ...freshTopic(), partitions: 1 };
    const first = await started(topic);
    await packAs(topic.name, codec);
    const text = 'the same text again and again, with a number: ';
    const value = Array.from({ length: 2_000 }, (_, n) => `${text}${String(n % 7)}`).join('\n');
    await send(topic.name, [{ key: 'x', value }, { value: 'short' }], kafkajs.CompressionTypes.None);
    for (let n = 0; n < 3; n += 1)
      expect(await run(first.counters, 's', 1)).toMatchObject({ kind: 'accepted' });
    expect(first.log.health().topics[0]).toMatchObject({ accepted: 3, badRecords: 2, nextOffsets: [5] });
    const second = await started(topic);
    expect(second.counters.load('s')).toMatchObject({ state: 3, version: 3 });
    expect(second.log.health().topics).toEqual(first.log.health().topics);
    expect(second.warned.some((line) => line.includes('compression.type'))).toBe(true);
  },
);

it('a batch that would unpack to far more than a batch may have counts as bad records, and the log goes on', async () => {
  const topic = { ...freshTopic(), partitions: 1 };
  const { log, counters } = await started(topic);
  await packAs(topic.name, 'producer');
  const bomb = { value: Buffer.alloc(BOMB_BYTES) };
  await send(topic.name, [{ value: 'before' }, bomb], kafkajs.CompressionTypes.ZSTD);
  expect(await run(counters, 's', 1)).toMatchObject({ kind: 'accepted', state: 1 });
  expect(log.health().topics[0]).toMatchObject({ accepted: 1, badRecords: 2, nextOffsets: [3] });
});

it('a topic that a log made refuses such a batch, and hands out unpacked what others have packed', async () => {
  const topic = { ...freshTopic(), partitions: 1 };
  const { log, counters, warned } = await started(topic);
  const bomb = [{ value: Buffer.alloc(BOMB_BYTES) }];
  await expect(send(topic.name, bomb, kafkajs.CompressionTypes.ZSTD)).rejects.toMatchObject({
    type: 'MESSAGE_TOO_LARGE',
  });
  await send(topic.name, [{ value: 'packed' }], kafkajs.CompressionTypes.ZSTD);
  expect(await run(counters, 's', 1)).toMatchObject({ kind: 'accepted' });
  expect(log.health().topics[0]).toMatchObject({ accepted: 1, badRecords: 1, nextOffsets: [2] });
  expect(warned.some((line) => line.includes('compression.type'))).toBe(false);
});

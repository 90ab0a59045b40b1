import kafkajs from 'kafkajs';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { openKafkaLog } from './open.ts';
import { checkTopics, makeTopics, TopicsRefused, type TopicAdmin } from './topic-settings.ts';

const topics = [{ name: 't', partitions: 2 }];
const declared = {
  'cleanup.policy': 'delete',
  'retention.ms': '-1',
  'retention.bytes': '-1',
  'unclean.leader.election.enable': 'false',
  'min.insync.replicas': '2',
  'compression.type': 'uncompressed',
};

/** A broker that has one topic of two partitions, or says why it does not tell its settings. */
const adminOf = (
  settings: Readonly<Record<string, string>> | Error,
  copies: readonly number[] = [3, 3],
): Pick<TopicAdmin, 'describeConfigs' | 'fetchTopicMetadata'> => ({
  fetchTopicMetadata: () =>
    Promise.resolve({
      topics: [
        {
          name: 't',
          partitions: copies.map((count, partitionId) => ({
            partitionErrorCode: 0,
            partitionId,
            leader: 0,
            replicas: Array.from({ length: count }, (_, broker) => broker),
            isr: [0],
          })),
        },
      ],
    }),
  describeConfigs: () => {
    if (settings instanceof Error) return Promise.reject(settings);
    const configEntries = Object.entries(settings).map(([configName, configValue]) => ({
      configName,
      configValue,
      isDefault: false,
      configSource: 1,
      isSensitive: false,
      readOnly: false,
      configSynonyms: [],
    }));
    const resource = { configEntries, errorCode: 0, errorMessage: '', resourceName: 't', resourceType: 2 };
    return Promise.resolve({ resources: [resource], throttleTime: 0 });
  },
});

const brokerError = (type: string): Error => Object.assign(new Error(type), { type });

it('a topic is made with every setting written out, and with the copies that are asked for', async () => {
  const made: unknown[] = [];
  const admin: Pick<TopicAdmin, 'createTopics'> = {
    createTopics: (options) => {
      made.push(...options.topics);
      return Promise.resolve(true);
    },
  };
  await makeTopics(admin, topics, { replicationFactor: 3, minInSyncReplicas: 2 });
  await makeTopics(admin, topics, {});
  const entries = Object.entries(declared).map(([name, value]) => ({ name, value }));
  expect(made).toEqual([
    { topic: 't', numPartitions: 2, replicationFactor: 3, configEntries: entries },
    {
      topic: 't',
      numPartitions: 2,
      replicationFactor: -1,
      configEntries: entries.filter(({ name }) => name !== 'min.insync.replicas'),
    },
  ]);
});

it('of topics that cannot be made, each is named with the reason, and those that are there are not', async () => {
  const failing = (type: string, topic: string, message: string): Error =>
    Object.assign(new Error(message), { type, topic });
  const errors = [
    failing('TOPIC_ALREADY_EXISTS', 'there', 'Topic with this name already exists'),
    failing('INVALID_REPLICATION_FACTOR', 't', 'Replication-factor is invalid'),
  ];
  const aggregate = new kafkajs.KafkaJSAggregateError('Topic creation errors', errors);
  const admin = { createTopics: () => Promise.reject(aggregate) };
  await expect(makeTopics(admin, topics, { replicationFactor: 3 })).rejects.toThrow(
    /^t cannot be made: Replication-factor is invalid$/,
  );
});

const well = { faults: [], advice: [], areTold: true };

it('a topic as it is declared is taken; copies that nobody asked for are the brokers’ business', async () => {
  const durability = { replicationFactor: 3, minInSyncReplicas: 2 };
  expect(await checkTopics(adminOf(declared), topics, durability)).toEqual(well);
  expect(await checkTopics(adminOf({ ...declared, 'min.insync.replicas': '1' }, [1, 1]), topics, {})).toEqual(
    well,
  );
  expect(await checkTopics(adminOf(new Error('not asked')), [], {})).toEqual(well);
});

it('a topic that packs what it hands out is taken and told', async () => {
  const admin = adminOf({ ...declared, 'compression.type': 'producer' });
  expect(await checkTopics(admin, topics, {})).toEqual({
    ...well,
    advice: [{ topic: 't', setting: 'compression.type', is: 'producer', shouldBe: 'uncompressed' }],
  });
});

it('a topic with more copies than are declared, of all partitions or of one while it is moved, is taken', async () => {
  const more = { ...declared, 'min.insync.replicas': '3' };
  const durability = { replicationFactor: 3, minInSyncReplicas: 2 };
  for (const copies of [
    [5, 5],
    [3, 6],
  ])
    expect(await checkTopics(adminOf(more, copies), topics, durability)).toEqual(well);
});

it('a topic of which there are never as many copies as a record needs is refused, also when only those are declared', async () => {
  const checked = (copies: readonly number[]) =>
    checkTopics(adminOf(declared, copies), topics, { minInSyncReplicas: 2 });
  await expect(checked([2, 1])).rejects.toMatchObject({
    faults: [{ topic: 't', setting: 'replication.factor', is: '1', shouldBe: 'at least 2' }],
  });
  expect(await checked([2, 2])).toEqual(well);
});

it('a topic with other settings is refused, with all that is wrong, what it is and what it should be', async () => {
  const admin = adminOf(
    {
      ...declared,
      'cleanup.policy': 'compact',
      'retention.ms': '604800000',
      'unclean.leader.election.enable': 'true',
      'min.insync.replicas': '1',
    },
    [3, 2, 3],
  );
  const refused = checkTopics(admin, topics, { replicationFactor: 3, minInSyncReplicas: 2 });
  await expect(refused).rejects.toBeInstanceOf(TopicsRefused);
  await expect(refused).rejects.toMatchObject({
    exitCode: 3,
    faults: [
      { topic: 't', setting: 'partitions', is: '3', shouldBe: '2' },
      { topic: 't', setting: 'replication.factor', is: '2', shouldBe: 'at least 3' },
      { topic: 't', setting: 'cleanup.policy', is: 'compact', shouldBe: 'delete' },
      { topic: 't', setting: 'retention.ms', is: '604800000', shouldBe: '-1' },
      { topic: 't', setting: 'unclean.leader.election.enable', is: 'true', shouldBe: 'false' },
      { topic: 't', setting: 'min.insync.replicas', is: '1', shouldBe: 'at least 2' },
    ],
  });
});

it('a broker that does not tell the settings, or not all of them, refuses no topic and says so', async () => {
  for (const type of ['TOPIC_AUTHORIZATION_FAILED', 'CLUSTER_AUTHORIZATION_FAILED', 'UNSUPPORTED_VERSION'])
    expect(await checkTopics(adminOf(brokerError(type)), topics, {})).toEqual({ ...well, areTold: false });
  expect(await checkTopics(adminOf({ 'cleanup.policy': 'delete' }), topics, {})).toEqual(well);
});

it('any other failure of the broker is one, so that it is asked again', async () => {
  const failing = checkTopics(adminOf(brokerError('UNKNOWN_TOPIC_OR_PARTITION')), topics, {});
  await expect(failing).rejects.toThrow('UNKNOWN_TOPIC_OR_PARTITION');
  await expect(checkTopics(adminOf(declared, []), topics, {})).rejects.toThrow('does not know t yet');
});

it('a wrong number of partitions is refused also when the settings are not told', async () => {
  const admin = adminOf(brokerError('TOPIC_AUTHORIZATION_FAILED'), [1]);
  await expect(checkTopics(admin, topics, {})).rejects.toMatchObject({
    faults: [{ topic: 't', setting: 'partitions', is: '1', shouldBe: '2' }],
  });
});

it('copies that there cannot be are refused when a log is opened, with what was given', () => {
  const open = (durability: object) => () =>
    openKafkaLog({
      service: 'unit',
      clientId: 'unit',
      bootstrap: '127.0.0.1:1',
      registryUrl: 'http://127.0.0.1:1',
      logger: pino({ level: 'silent' }),
      durability,
    });
  for (const copies of [0, 1.5, -1, Number.NaN]) {
    expect(open({ replicationFactor: copies })).toThrow(RangeError);
    expect(open({ minInSyncReplicas: copies })).toThrow(String(copies));
  }
  expect(open({ replicationFactor: 2, minInSyncReplicas: 3 })).toThrow(RangeError);
  for (const durability of [{}, { minInSyncReplicas: 2 }, { replicationFactor: 3, minInSyncReplicas: 2 }])
    expect(open(durability)).not.toThrow();
});

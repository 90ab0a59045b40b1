/** What a log makes of the topics of a running broker, and of those that somebody else has made. */
import { startTestEngines, type TestEngines } from '@parley/engines/testing';
import kafkajs, { type Admin } from 'kafkajs';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { counterOf } from '../../testing/counter.ts';
import { echoLimits, freshTopic, run, WAIT_MS_MAX } from '../../testing/harness.ts';
import { kafkaClient } from './client.ts';
import type { TopicFault } from '../log/transport.ts';
import { openKafkaLog, type KafkaLogOptions } from './open.ts';
import type { TopicDurability } from './topic-settings.ts';

const logger = pino({ level: 'silent' });
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

const TOPIC = kafkajs.ConfigResourceTypes.TOPIC;
/** The settings that a topic has itself, and not from its broker. */
const ownSettingsOf = async (topic: string): Promise<Record<string, string>> => {
  const { resources } = await admin.describeConfigs({
    resources: [{ type: TOPIC, name: topic }],
    includeSynonyms: false,
  });
  const own = (resources[0]?.configEntries ?? []).filter(
    ({ configSource }) => configSource === kafkajs.ConfigSource.TOPIC_CONFIG,
  );
  return Object.fromEntries(own.map(({ configName, configValue }) => [configName, configValue]));
};

const openOn = (
  topic: ReturnType<typeof freshTopic>,
  durability?: TopicDurability,
  more: Partial<KafkaLogOptions> = {},
) => {
  const log = openKafkaLog({
    service: 'settings',
    clientId: 'settings',
    bootstrap: engines.bootstrap,
    registryUrl: engines.registryUrl,
    logger,
    limits: echoLimits,
    ...(durability === undefined ? {} : { durability }),
    ...more,
  });
  return { log, counters: log.aggregate(counterOf(topic)) };
};

it('a topic that a log makes has its settings itself, whatever the broker’s defaults become', async () => {
  const topic = freshTopic();
  const { log } = openOn(topic, { replicationFactor: 1, minInSyncReplicas: 1 });
  await log.start();
  await log.close();
  expect(await ownSettingsOf(topic.name)).toEqual({
    'cleanup.policy': 'delete',
    'retention.ms': '-1',
    'retention.bytes': '-1',
    'unclean.leader.election.enable': 'false',
    'min.insync.replicas': '1',
    'compression.type': 'uncompressed',
  });
});

it('a log does not start on a topic that expires or is compacted, and names what is to be changed; then it starts', async () => {
  const topic = freshTopic();
  await admin.createTopics({
    waitForLeaders: true,
    topics: [
      {
        topic: topic.name,
        numPartitions: topic.partitions,
        replicationFactor: 1,
        configEntries: [
          { name: 'cleanup.policy', value: 'compact' },
          { name: 'retention.ms', value: '604800000' },
        ],
      },
    ],
  });
  const refused = openOn(topic);
  await expect(refused.log.start()).rejects.toMatchObject({
    name: 'TopicsRefused',
    exitCode: 3,
    faults: [
      { topic: topic.name, setting: 'cleanup.policy', is: 'compact', shouldBe: 'delete' },
      { topic: topic.name, setting: 'retention.ms', is: '604800000', shouldBe: '-1' },
    ],
  });
  await refused.log.close();
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: TOPIC, name: topic.name, configEntries: [{ name: 'retention.ms', value: '-1' }] }],
  });
  const { log, counters } = openOn(topic);
  await log.start();
  expect(await run(counters, 's', 1)).toMatchObject({ kind: 'accepted', state: 1 });
  await log.close();
});

it('a log does not start when the brokers make fewer copies of its topic than have to have a record', async () => {
  const topic = freshTopic();
  const { log } = openOn(topic, { minInSyncReplicas: 2 });
  await expect(log.start()).rejects.toMatchObject({
    name: 'TopicsRefused',
    faults: [{ topic: topic.name, setting: 'replication.factor', is: '1', shouldBe: 'at least 2' }],
  });
  await log.close();
});

it('a log that runs notices a topic that is altered, and one that is deleted: it says each change once, also that it is mended, and goes on', async () => {
  const topic = freshTopic();
  const lines: Record<string, unknown>[] = [];
  const writing = { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) };
  const { log, counters } = openOn(topic, undefined, {
    topicCheckMs: 20,
    logger: pino({ level: 'info', base: null }, writing),
  });
  /** kafkajs sets all that is not given back to the broker's own. */
  const alter = (settings: Readonly<Record<string, string>>) =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: TOPIC,
          name: topic.name,
          configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
        },
      ],
    });
  const told = () =>
    lines
      .filter(({ msg }) => /altered|as the log needs/.test(String(msg)))
      .map(({ level, faults = [] }) => [
        level,
        (faults as TopicFault[]).map(({ setting, is }) => `${setting}=${is}`),
      ]);
  const [warn, info] = [40, 30];
  const aWeek = { 'retention.ms': '604800000' };
  await log.start();
  await alter(aWeek);
  await vi.waitFor(() => {
    expect(told()).toEqual([[warn, ['retention.ms=604800000']]]);
  }, WAIT_MS_MAX);
  await alter({ ...aWeek, 'cleanup.policy': 'compact' });
  await vi.waitFor(() => {
    expect(told()).toHaveLength(2);
  }, WAIT_MS_MAX);
  expect(await run(counters, 's', 1)).toMatchObject({ kind: 'accepted' });
  await alter({ 'retention.ms': '-1' });
  await vi.waitFor(() => {
    expect(told()).toHaveLength(3);
  }, WAIT_MS_MAX);
  await admin.deleteTopics({ topics: [topic.name] });
  await vi.waitFor(() => {
    expect(told()).toHaveLength(4);
  }, WAIT_MS_MAX);
  await log.close();
  expect(told()).toEqual([
    [warn, ['retention.ms=604800000']],
    [warn, ['cleanup.policy=compact', 'retention.ms=604800000']],
    [info, []],
    [warn, ['topic=deleted']],
  ]);
});

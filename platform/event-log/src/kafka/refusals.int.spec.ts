/** What the callers of several partitions are told when the broker refuses the batch of one of them for good. */
import { randomUUID } from 'node:crypto';
import { startTestEngines, type TestEngines } from '@parley/engines/testing';
import kafkajs from 'kafkajs';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { counted } from '../../testing/counter.ts';
import { freshTopic, metadata, Nodes } from '../../testing/harness.ts';
import { kafkaHarness } from '../../testing/kafka-harness.ts';
import { partitionOf } from '../log/partition-of.ts';
import { kafkaClient } from './client.ts';

let engines: TestEngines;
beforeAll(async () => {
  engines = await startTestEngines({ only: ['kafka', 'registry'] });
});
afterAll(async () => {
  await engines.stop();
});

const nodes = new Nodes(() => kafkaHarness(engines));
const BATCH_BYTES_MAX = 10_000;

it('a batch that is too large for the broker is rejected, those that travel with it are accepted, once', async () => {
  const topic = freshTopic();
  const { counters, log } = await nodes.node(topic);
  const streams = Array.from({ length: topic.partitions }, (_, partition) =>
    Array.from({ length: 100 }, (__, n) => `s-${String(n)}`).find(
      (streamId) => partitionOf(streamId, topic.partitions) === partition,
    ),
  ).filter((streamId) => streamId !== undefined);
  const admin = kafkaClient({
    clientId: 'stranger',
    bootstrap: engines.bootstrap,
    logger: pino({ level: 'silent' }),
  }).admin();
  await admin.connect();
  await admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name: topic.name,
        configEntries: [{ name: 'max.message.bytes', value: String(BATCH_BYTES_MAX) }],
      },
    ],
  });
  await admin.disconnect();
  const outcomes = await Promise.all(
    streams.map((streamId, index) =>
      counters.execute({
        streamId,
        commandId: randomUUID(),
        decide: () => ({
          kind: 'events',
          events: [counted(1, index === 2 ? 'x'.repeat(2 * BATCH_BYTES_MAX) : '')],
        }),
        metadata,
      }),
    ),
  );
  expect(outcomes).toMatchObject([
    { kind: 'accepted' },
    { kind: 'accepted' },
    { kind: 'rejected', reason: 'too-large' },
    { kind: 'accepted' },
  ]);
  expect(log.health().topics[0]).toMatchObject({ accepted: 3, duplicates: 0 });
});

/** Nothing of ours writes in transactions. A tool that does must not stop every reader at the mark that ends one. */
import { startTestEngines, type TestEngines } from '@parley/engines/testing';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freshTopic, Nodes, run, WAIT_MS_MAX } from '../../testing/harness.ts';
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
const STREAM = 's';
/** After it the broker gives a transaction up by itself. */
const TRANSACTION_MS_MAX = 600_000;

it('a transaction of a stranger, under way, given up or committed, is skipped by every reader alike', async () => {
  const topic = freshTopic();
  const partition = partitionOf(STREAM, topic.partitions);
  const { counters, sums, log } = await nodes.node(topic);
  const kafka = kafkaClient({
    clientId: 'stranger',
    bootstrap: engines.bootstrap,
    logger: pino({ level: 'silent' }),
  });
  const producer = kafka.producer({
    transactionalId: topic.name,
    transactionTimeout: TRANSACTION_MS_MAX,
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
  });
  await producer.connect();
  let version = 0;
  try {
    for (const end of ['commit', 'abort'] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic: topic.name, messages: [{ partition, key: STREAM, value: 'rubbish' }] });
      expect(await run(counters, STREAM, 1), `${end}: under way`).toMatchObject({
        kind: 'accepted',
        version: ++version,
      });
      const late = await nodes.node(topic);
      expect(late.sums.stateHash()).toBe(sums.stateHash());
      await transaction[end]();
      expect(await run(counters, STREAM, 1), `${end}: over`).toMatchObject({
        kind: 'accepted',
        version: ++version,
      });
    }
  } finally {
    await producer.disconnect();
  }
  // Two records, two marks; the last mark may lie behind the last commit, as the end of a transaction is told before it.
  await expect
    .poll(() => log.health().topics[0], { timeout: WAIT_MS_MAX })
    .toMatchObject({ badRecords: 4, accepted: version });
  const later = await nodes.node(topic);
  expect(later.sums.stateHash()).toBe(sums.stateHash());
  expect(later.log.health().topics).toEqual(log.health().topics);
});

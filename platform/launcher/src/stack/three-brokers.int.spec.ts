import { orderEvents } from '@parley/contracts/topics';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LaunchedStack } from '../../testing/launched-stack.ts';
import { readEndpoints } from './endpoints-file.ts';

/** Above what a slow machine takes; a leader that is killed is noticed within 2 s (docs/cluster.md). */
const recoveryMs = 120_000;

let stack: LaunchedStack;
beforeAll(async () => {
  stack = await LaunchedStack.claim();
});
afterAll(() => stack.end());

/** The engines that lead the partitions of the orders. */
const leaders = async (bootstrap: string): Promise<readonly string[]> => {
  const { Kafka, logLevel } = kafkajs;
  const admin = new Kafka({ brokers: bootstrap.split(','), logLevel: logLevel.NOTHING }).admin();
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [orderEvents.name] });
    const nodes = topics.flatMap(({ partitions }) => partitions.map(({ leader }) => leader));
    return nodes.map((node) => (node === 1 ? 'kafka' : `kafka-${String(node)}`));
  } finally {
    await admin.disconnect();
  }
};

it('a whole stack on three brokers ships orders, also once the leader of a partition of theirs is killed, and what it serves is what its log says', async () => {
  const { code, printed } = await stack.parley('up', '--brokers', '3');
  expect(code, printed).toBe(0);
  const { kafka } = await readEndpoints(stack.runDir);
  expect(kafka.bootstrap.split(',')).toHaveLength(3);
  await stack.shippedOrder(recoveryMs);
  const [leader = 'none', ...others] = await leaders(kafka.bootstrap);
  expect(others.length).toBeGreaterThan(0);
  stack.kill(leader);
  await stack.shippedOrder(recoveryMs);
  const verified = await stack.parley('replay', '--verify');
  expect(verified.code, verified.printed).toBe(0);
  const down = await stack.parley('down');
  expect(down.code, down.printed).toBe(0);
});

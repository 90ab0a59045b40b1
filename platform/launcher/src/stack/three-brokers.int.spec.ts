import { eventTopics } from '@parley/contracts/topics';
import { waitUntil } from '@parley/engines/wait';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LaunchedStack } from '../../testing/launched-stack.ts';
import { readEndpoints } from './endpoints-file.ts';

/** Above what a slow machine takes; a leader that is killed is noticed within 2 s (docs/cluster.md). */
const recoveryMs = 120_000;
/** With its leaders there, an order waits for nothing but its own way. */
const shippedMs = 60_000;

let stack: LaunchedStack | undefined;
beforeAll(async () => {
  stack = await LaunchedStack.claim();
});
afterAll(() => stack?.end());

/** The brokers that lead the partitions of all events; -1 where there is none. */
const leaders = async (bootstrap: string): Promise<readonly number[]> => {
  const { Kafka, logLevel } = kafkajs;
  const admin = new Kafka({ brokers: bootstrap.split(','), logLevel: logLevel.NOTHING }).admin();
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: eventTopics.map(({ name }) => name) });
    return topics.flatMap(({ partitions }) => partitions.map(({ leader }) => leader));
  } finally {
    await admin.disconnect();
  }
};

it('a whole stack on three brokers ships orders, also by other leaders once one is killed, and what it serves is what its log says', async () => {
  if (stack === undefined) throw new Error('no stack was claimed');
  const { code, printed } = await stack.parley('up', '--brokers', '3');
  expect(code, printed).toBe(0);
  const { kafka } = await readEndpoints(stack.runDir);
  expect(kafka.bootstrap.split(',')).toHaveLength(3);
  await stack.shippedOrder(recoveryMs);
  const [victim = 0] = await leaders(kafka.bootstrap);
  stack.kill(victim === 1 ? 'kafka' : `kafka-${String(victim)}`);
  // The launcher starts it again, but it leads again only once the controller balances leaders, which takes minutes.
  const areOthers = async (): Promise<boolean> => {
    const now = await leaders(kafka.bootstrap).catch(() => []);
    return now.length > 0 && now.every((leader) => leader > 0 && leader !== victim);
  };
  expect(await waitUntil(areOthers, { deadlineMs: recoveryMs })).toBe(true);
  await stack.shippedOrder(shippedMs);
  const verified = await stack.parley('replay', '--verify');
  expect(verified.code, verified.printed).toBe(0);
  const down = await stack.parley('down');
  expect(down.code, down.printed).toBe(0);
});

/** Three brokers with three copies of everything, of which leaders are killed and lose their disks, one after another. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { TestEngines, TestEnginesOptions } from '@parley/engines/testing';
import type { Admin } from 'kafkajs';
import { pino } from 'pino';
import { CHAOS_TOPIC, chaosSuite, type ChaosClock } from '../../testing/chaos/suite.ts';
import { kafkaClient } from './client.ts';

/** By node id, from 1. */
const nodes = ['kafka', 'kafka-2', 'kafka-3'] as const satisfies TestEnginesOptions['only'];
const KILL_AFTER_MS_MIN = 1000;
const KILL_AFTER_MS_MAX = 3000;
/** A kill that comes later would leave no time for its echo in the run. */
const LAST_KILL_BEFORE_END_MS = 3000;
/** On a slow machine the last of them may come when no writer is killed any more. */
const KILLS_MIN = 2;
const IN_SYNC_MS_MAX = 300_000;
const POLL_MS = 100;

type Partitions = Awaited<ReturnType<Admin['fetchTopicMetadata']>>['topics'][number]['partitions'];

/** Partitions of the topic, once every node has a copy of each that is up to date: only then may the next leader go. */
async function inSync(admin: Admin): Promise<Partitions> {
  const endAtMs = Date.now() + IN_SYNC_MS_MAX;
  while (Date.now() < endAtMs) {
    const { topics } = await admin.fetchTopicMetadata({ topics: [CHAOS_TOPIC] });
    const partitions = topics[0]?.partitions ?? [];
    if (partitions.length > 0 && partitions.every(({ isr, replicas }) => isr.length === replicas.length))
      return partitions.toSorted((a, b) => a.partitionId - b.partitionId);
    await pause(POLL_MS);
  }
  throw new Error(`${CHAOS_TOPIC} is not in sync within ${IN_SYNC_MS_MAX} ms`);
}

/**
 * Removes what a node has of the topic. Without it no test could tell three copies from one: whoever is killed, and not cut off from power,
 * finds all of it again.
 */
async function loseDisk({ runDir }: TestEngines, node: string): Promise<void> {
  const data = join(runDir, node, 'data');
  const folders = (await readdir(data)).filter((name) => name.startsWith(`${CHAOS_TOPIC}-`));
  for (const folder of folders) await rm(join(data, folder), { recursive: true });
}

/** Kills the leader of a partition that the seed draws, starts it again with nothing of the topic, and so on. */
async function killLeaders(
  engines: TestEngines,
  { random, untilMs }: ChaosClock,
): Promise<readonly number[]> {
  const logger = pino({ level: 'silent' });
  const admin = kafkaClient({ clientId: 'chaos-killer', bootstrap: engines.bootstrap, logger }).admin();
  await admin.connect();
  const downMs: number[] = [];
  try {
    for (;;) {
      const partitions = await inSync(admin);
      await pause(KILL_AFTER_MS_MIN + random() * (KILL_AFTER_MS_MAX - KILL_AFTER_MS_MIN));
      const isLate = Date.now() > untilMs - LAST_KILL_BEFORE_END_MS;
      if (isLate && downMs.length >= KILLS_MIN) return downMs;
      const drawn = partitions[Math.floor(random() * partitions.length)];
      const leader = nodes[(drawn?.leader ?? 0) - 1];
      if (leader === undefined) throw new Error(`partition ${String(drawn?.partitionId)} has no leader`);
      const downAtMs = Date.now();
      await engines.kill(leader);
      await loseDisk(engines, leader);
      await engines.restart(leader);
      downMs.push(Date.now() - downAtMs);
    }
  } finally {
    await admin.disconnect();
  }
}

chaosSuite(
  'three writers on twenty streams, killed at random, and leaders of a cluster killed among them, which lose their disks, lose nothing, count nothing twice, are never told two things, and every reader agrees',
  {
    seed: 20_261_128,
    only: [...nodes, 'registry'],
    durability: { replicationFactor: 3, minInSyncReplicas: 2 },
    brokerKillsMin: KILLS_MIN,
    killBrokers: killLeaders,
  },
);

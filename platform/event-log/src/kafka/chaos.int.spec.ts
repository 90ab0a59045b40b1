/** One broker, and one that is killed and comes back. */
import { setTimeout as pause } from 'node:timers/promises';
import { chaosSuite } from '../../testing/chaos/suite.ts';

const KILL_AFTER_MS = 7000;

chaosSuite(
  'three writers on twenty streams, killed at random, and a broker killed among them lose nothing, count nothing twice, are never told two things, and every reader agrees',
  {
    seed: 20_261_124,
    only: ['kafka', 'registry'],
    durability: { replicationFactor: 1, minInSyncReplicas: 1 },
    brokerKillsMin: 1,
    killBrokers: async (engines) => {
      await pause(KILL_AFTER_MS);
      const downAtMs = Date.now();
      await engines.kill('kafka');
      await engines.restart('kafka');
      return [Date.now() - downAtMs];
    },
  },
);

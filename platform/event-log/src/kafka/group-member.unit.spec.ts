/** What a member of a group makes of what a consumer hands it, on a consumer that hands over what a test says. */
import type { Consumer, ConsumerRunConfig, EachBatchPayload, Kafka } from 'kafkajs';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { messageOf as messageOfCommit } from '../../testing/messages.ts';
import { joinGroup } from './group-member.ts';

const topic = 't';

/** A record of a log of one partition: its commit by name, and the number of the leader that wrote it. */
interface Entry {
  readonly commit: string;
  readonly leader: number;
}

const messageOf = ({ commit, leader }: Entry, offset: number) => messageOfCommit(commit, offset, leader);

/** A member that has joined a group, whose reaction handles whatever it is handed, on a log that a test writes and cuts. */
const setUp = async () => {
  const log: Entry[] = [];
  const handled: string[] = [];
  const committed = { offset: '-1', metadata: '' };
  let each: ConsumerRunConfig['eachBatch'];
  let onJoin: ((event: { readonly payload: object }) => void) | undefined;
  let at = 0;
  const consumer = {
    events: { GROUP_JOIN: 'join', REBALANCING: 'rebalancing', CRASH: 'crash' },
    on: (event: string, listener: typeof onJoin) => {
      if (event === 'join') onJoin = listener;
    },
    connect: () => Promise.resolve(),
    subscribe: () => Promise.resolve(),
    run: (config: ConsumerRunConfig) => {
      each = config.eachBatch;
      return Promise.resolve();
    },
    seek: ({ offset }: { readonly offset: string }) => {
      at = Number(offset);
    },
  };
  const admin = {
    connect: () => Promise.resolve(),
    disconnect: () => Promise.resolve(),
    fetchOffsets: () => Promise.resolve([{ topic, partitions: [{ partition: 0, ...committed }] }]),
  };
  await joinGroup(consumer as unknown as Consumer, {
    kafka: { admin: () => admin } as unknown as Kafka,
    group: 'g',
    topic,
    partitions: 1,
    logger: pino({ level: 'silent' }),
    listener: {
      onAssigned: () => undefined,
      onLost: () => undefined,
      onBatch: async ({ records, commit }) => {
        handled.push(...records.map(({ offset }) => log[Number(offset)]?.commit ?? ''));
        await commit(Number(records.at(-1)?.offset) + 1);
      },
    },
  });
  onJoin?.({ payload: { memberAssignment: { [topic]: [0] } } });
  /** Hands over what lies from where the consumer is. */
  const fetch = async (max = log.length): Promise<void> => {
    const from = at;
    const messages = log.slice(from, from + max).map((entry, index) => messageOf(entry, from + index));
    if (messages.length === 0) return;
    await each?.({
      batch: { topic, partition: 0, messages, highWatermark: String(log.length) },
      isStale: () => false,
      isRunning: () => true,
      heartbeat: () => Promise.resolve(),
      resolveOffset: (offset: string) => {
        at = Number(offset) + 1;
      },
      commitOffsetsIfNecessary: ({ topics }: { topics: { partitions: (typeof committed)[] }[] }) => {
        Object.assign(committed, topics[0]?.partitions[0]);
        return Promise.resolve();
      },
    } as unknown as EachBatchPayload);
  };
  const write = (leader: number, ...commits: string[]): void => {
    for (const commit of commits) log.push({ commit, leader });
  };
  return { log, handled, fetch, write };
};

it('goes through the partition again when a new leader has cut the log and it has grown again over the committed offset', async () => {
  const { log, handled, fetch, write } = await setUp();
  write(1, 'a', 'b', 'c');
  await fetch();
  log.length = 1;
  write(2, 'x', 'y', 'z');
  for (let n = 0; n < 3; n++) await fetch();
  expect(handled).toEqual(['a', 'b', 'c', 'a', 'x', 'y', 'z']);
});

it('goes on behind a new leader that has everything, and repeats nothing', async () => {
  const { handled, fetch, write } = await setUp();
  write(1, 'a', 'b');
  await fetch();
  write(2, 'c');
  for (let n = 0; n < 3; n++) await fetch(1); // the record before it comes alone
  write(2, 'd');
  await fetch();
  expect(handled).toEqual(['a', 'b', 'c', 'd']);
});

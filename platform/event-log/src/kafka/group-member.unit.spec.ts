/** What a member of a group makes of what a consumer hands it, on a consumer that hands over what a test says. */
import type { Consumer, ConsumerRunConfig, EachBatchPayload, Kafka } from 'kafkajs';
import { pino } from 'pino';
import { expect, it, onTestFinished, vi } from 'vitest';
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
  const committed = { partition: 0, offset: '-1', metadata: '' };
  /** A line for each request, `partition@offset` of all that it was for. */
  const commits: string[] = [];
  const ending = new AbortController();
  const heard = new Map<string, (event: { readonly payload: object }) => void>();
  let each: ConsumerRunConfig['eachBatch'];
  let at = 0;
  let isCrashed = false;
  const consumer = {
    events: { GROUP_JOIN: 'join', REBALANCING: 'rebalancing', CRASH: 'crash', STOP: 'stop' },
    on: (event: string, listener: (event: { readonly payload: object }) => void) => {
      heard.set(event, listener);
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
    fetchOffsets: () => Promise.resolve([{ topic, partitions: [committed] }]),
  };
  await joinGroup(consumer as unknown as Consumer, {
    kafka: { admin: () => admin } as unknown as Kafka,
    group: 'g',
    topic,
    partitions: 2,
    signal: ending.signal,
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
  heard.get('join')?.({ payload: { memberAssignment: { [topic]: [0, 1] } } });
  const handOver = async (partition: number, messages: readonly object[]): Promise<void> => {
    await each?.({
      batch: { topic, partition, messages, highWatermark: String(log.length) },
      isStale: () => false,
      isRunning: () => !isCrashed && !ending.signal.aborted,
      heartbeat: () => Promise.resolve(),
      resolveOffset: (offset: string) => {
        if (partition === 0) at = Number(offset) + 1;
      },
      commitOffsetsIfNecessary: ({ topics }: { topics: { partitions: (typeof committed)[] }[] }) => {
        const offsets = topics[0]?.partitions ?? [];
        commits.push(offsets.map((one) => `${String(one.partition)}@${one.offset}`).join(' '));
        Object.assign(committed, offsets[0]);
        return Promise.resolve();
      },
    } as unknown as EachBatchPayload);
  };
  /** Hands over what lies from where the consumer is. */
  const fetch = async (max = log.length): Promise<void> => {
    const from = at;
    const messages = log.slice(from, from + max).map((entry, index) => messageOf(entry, from + index));
    if (messages.length === 0) return;
    await handOver(0, messages);
  };
  const write = (leader: number, ...commits: string[]): void => {
    for (const commit of commits) log.push({ commit, leader });
  };
  /** Hands over one record of a partition, at an offset. */
  const hand = (partition: number, offset: number) =>
    handOver(partition, [messageOf({ commit: 'c', leader: 1 }, offset)]);
  const tell = (event: 'rebalancing' | 'stop'): void => heard.get(event)?.({ payload: {} });
  const crash = (): void => {
    isCrashed = true; // kafkajs tells so once it has disconnected
  };
  return { log, handled, commits, ending, fetch, write, hand, tell, crash };
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

const EVERY_MS = 25;
/** A member that has committed an offset this moment, so that the next one waits. */
const setUpCommitted = async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const member = await setUp();
  await member.hand(0, 0);
  expect(member.commits).toEqual(['0@1']);
  return member;
};

it('commits the offsets of several partitions in one request', async () => {
  const { commits, hand } = await setUpCommitted();
  const batches = [hand(0, 1), hand(1, 0)];
  await vi.advanceTimersByTimeAsync(EVERY_MS);
  await Promise.all(batches);
  expect(commits).toEqual(['0@1', '0@2 1@1']);
});

it('commits what is done when it leaves, and what it ends until it has left', async () => {
  const { commits, ending, hand } = await setUpCommitted();
  const batch = hand(0, 1);
  await vi.advanceTimersByTimeAsync(1);
  expect(commits).toEqual(['0@1']);
  ending.abort();
  await batch;
  await hand(0, 2);
  expect(commits).toEqual(['0@1', '0@2', '0@3']);
});

it('commits nothing once its consumer has crashed', async () => {
  const { commits, hand, crash } = await setUpCommitted();
  const batch = hand(0, 1);
  await vi.advanceTimersByTimeAsync(1);
  crash();
  await vi.advanceTimersByTimeAsync(EVERY_MS);
  await batch;
  expect(commits).toEqual(['0@1']);
});

it.each(['rebalancing', 'stop'] as const)(
  'commits nothing of a partition that it lost meanwhile, by %s',
  async (event) => {
    const { commits, hand, tell } = await setUpCommitted();
    const batch = hand(0, 1);
    await vi.advanceTimersByTimeAsync(1);
    tell(event);
    await vi.advanceTimersByTimeAsync(EVERY_MS);
    await batch;
    expect(commits).toEqual(['0@1']);
  },
);

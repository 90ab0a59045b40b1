/** What a reader makes of what a consumer hands it, on a consumer that hands over what a test says. */
import type { Consumer, ConsumerRunConfig, EachBatchPayload } from 'kafkajs';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { messageOf as messageOfCommit } from '../../testing/messages.ts';
import { deriveId } from '../ids.ts';
import { commitOf } from '../log/recorded-event.ts';
import type { RawRecord, TopicListener } from '../log/transport.ts';
import { readTopic } from './topic-reader.ts';

const topic = 't';
const PATIENCE = { timeout: 5000, interval: 1 };

/** A log of one partition: the commit at each offset, by name, and behind a colon the number of the leader that wrote it. */
const messageOf = (commit: string, offset: number) => {
  const [, leader] = commit.split(':');
  return messageOfCommit(commit, offset, leader === undefined ? undefined : Number(leader));
};

/** Folds as a process does, and can be held up at the first record of a batch, as by a schema that is awaited. */
class Fold implements TopicListener {
  next = 0;
  lastCommit: string | undefined;
  readonly diverged: string[] = [];
  held: Promise<unknown> = Promise.resolve();

  progress(): ReturnType<TopicListener['progress']> {
    return { next: this.next, lastCommit: this.lastCommit };
  }

  async onRecords(_partition: number, records: readonly RawRecord[]): Promise<void> {
    await this.held;
    for (const record of records) {
      if (Number(record.offset) !== this.next) continue;
      this.next++;
      this.lastCommit = commitOf(record);
    }
  }

  onDiverged(detail: string): void {
    this.diverged.push(detail);
    this.next = 0;
    this.lastCommit = undefined;
  }
}

/** A reader of a log that has one partition and that a test writes, reads on with and cuts. */
const setUp = async (...commits: string[]) => {
  const log = [...commits];
  const fold = new Fold();
  const ending = new AbortController();
  let onJoin = (): void => undefined;
  let each: ConsumerRunConfig['eachBatch'];
  let at = 0;
  const consumer = {
    events: { GROUP_JOIN: 'join' },
    on: (_event: string, listener: () => void) => (onJoin = listener),
    seek: ({ offset }: { readonly offset: string }) => (at = Number(offset)),
    connect: () => Promise.resolve(),
    subscribe: () => Promise.resolve(),
    run: ({ eachBatch }: ConsumerRunConfig) => {
      each = eachBatch;
      onJoin();
      return Promise.resolve();
    },
  };
  /** Hands over what lies from where the consumer is. Out of range, kafkajs begins anew. */
  const fetch = async (max = log.length): Promise<void> => {
    const from = at > log.length ? 0 : at;
    const messages = log.slice(from, from + max).map((commit, index) => messageOf(commit, from + index));
    if (messages.length === 0) return;
    at = from + messages.length;
    const batch = { topic, partition: 0, messages };
    const payload = { batch, isStale: () => false, heartbeat: () => Promise.resolve() };
    await each?.(payload as unknown as EachBatchPayload);
  };
  await readTopic(consumer as unknown as Consumer, {
    topic,
    partitions: 1,
    listener: fold,
    logger: pino({ level: 'silent' }),
    endOffsets: () => Promise.resolve([log.length]),
    signal: ending.signal,
  });
  const join = (): void => {
    onJoin();
  };
  const seek = (offset: number): void => {
    at = offset;
  };
  return { log, fold, fetch, join, seek, ending };
};

it('reads on behind a join that comes while a schema is awaited: the log was not cut', async () => {
  const { log, fold, fetch, join } = await setUp('a', 'b');
  await fetch();
  log.push('c', 'd');
  const schema = Promise.withResolvers<undefined>();
  fold.held = schema.promise;
  const held = fetch();
  join();
  schema.resolve(undefined);
  await held;
  expect(fold.next).toBe(4);
  await fetch();
  log.push('e');
  await fetch();
  await fetch();
  expect(fold).toMatchObject({ next: 5, diverged: [] });
});

it('drops its state at a join when the log was cut to nothing and nothing is appended', async () => {
  const { log, fold, fetch, join } = await setUp('a', 'b');
  await fetch();
  log.length = 0;
  join();
  await expect.poll(() => fold.diverged, PATIENCE).toHaveLength(1);
  log.push('c');
  await fetch();
  expect(fold).toMatchObject({ next: 1, lastCommit: deriveId('c') });
});

it('drops its state when it is handed another log than it has folded, also without a join', async () => {
  const { log, fold, fetch } = await setUp('a', 'b', 'c');
  await fetch();
  log.splice(1, 2);
  log.push('x');
  await fetch();
  expect(fold.diverged).toHaveLength(1);
  await fetch();
  expect(fold).toMatchObject({ next: 2, lastCommit: deriveId('x') });
});

it('reads on behind a join that comes while it waits at a hole: the log was not cut', async () => {
  const { log, fold, fetch, join, seek } = await setUp('a', 'b');
  await fetch();
  log.push('c', 'd');
  seek(3);
  const waiting = fetch();
  join();
  await waiting;
  await fetch();
  expect(fold).toMatchObject({ next: 4, diverged: [] });
});

it('looks for the last record that it has folded when what it is handed again ends before that', async () => {
  const { log, fold, fetch, seek } = await setUp('a', 'b', 'c');
  await fetch();
  log.push('d');
  seek(0);
  await fetch(2);
  await fetch();
  expect(fold).toMatchObject({ next: 4, diverged: [] });
});

it('takes what it is handed a second time for what it is', async () => {
  const { log, fold, fetch, join } = await setUp('a', 'b');
  await fetch();
  join();
  log.push('c');
  await fetch();
  expect(fold).toMatchObject({ next: 3, diverged: [] });
});

it('that is to end waits at no hole any more, however long it has waited there before', async () => {
  const { log, fold, fetch, seek, ending } = await setUp('a', 'b');
  await fetch();
  log.push('c', 'd');
  ending.abort();
  for (let n = 0; n < 10; n++) {
    seek(3);
    await fetch();
  }
  expect(fold).toMatchObject({ next: 2, diverged: [] });
});

it('drops its state when a new leader has cut the log and it has grown again over where the reader is, without a join', async () => {
  const { log, fold, fetch } = await setUp('a:1', 'b:1', 'c:1');
  await fetch();
  log.splice(1, 2, 'x:2', 'y:2', 'z:2');
  await fetch();
  await fetch();
  expect(fold.diverged).toHaveLength(1);
  await fetch();
  expect(fold).toMatchObject({ next: 4, lastCommit: deriveId('z:2') });
});

it('reads on behind a new leader that has everything, and looks back once for each', async () => {
  const { log, fold, fetch } = await setUp('a:1', 'b:1');
  await fetch();
  for (const leader of [2, 4]) {
    log.push(`c:${String(leader)}`);
    await fetch();
    expect(fold.next).toBe(log.length - 1);
    await fetch();
    expect(fold.next).toBe(log.length);
    log.push(`d:${String(leader)}`, `e:${String(leader + 1)}`); // in one answer: the broker says that they belong together
    await fetch();
    expect(fold.next).toBe(log.length);
  }
  expect(fold.diverged).toEqual([]);
});

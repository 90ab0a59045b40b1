/** Rebuilding a read model beside the live one. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { counted, sumsOf, counterOf, type Counted } from './counter.ts';
import { freshTopic, metadata, type Node, type Nodes } from './harness.ts';

const STREAMS = 40;
const streamOf = (index: number): string => `s-${String(index % STREAMS)}`;

/** What a reader saw over time that it must not have seen. */
class Watch {
  readonly #sums: Node['sums'];
  readonly #seen = new Map<string, number>();
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #size = 0;
  reads = 0;
  readonly faults: string[] = [];

  /** Reads every row, 50 times a second. */
  constructor(sums: Node['sums']) {
    this.#sums = sums;
    this.#loop = this.#run();
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      this.#read();
      await pause(20);
    }
  }

  #read(): void {
    this.reads++;
    const rows = this.#sums.list({ limit: STREAMS });
    if (rows.length < this.#size) this.faults.push(`${rows.length} rows after ${this.#size}`);
    this.#size = rows.length;
    for (const [stream, events] of this.#seen) {
      const now = this.#sums.get(stream)?.events ?? 0;
      if (now < events) this.faults.push(`${stream} went from ${events} events to ${now}`);
    }
    for (let index = 0; index < STREAMS; index++)
      this.#seen.set(streamOf(index), this.#sums.get(streamOf(index))?.events ?? 0);
  }
}

const add = (counters: Node['counters'], index: number) =>
  counters.execute({
    streamId: streamOf(index),
    commandId: randomUUID(),
    decide: () => ({ kind: 'events', events: [counted(index), counted(1)] }),
    metadata,
  });
const fill = (counters: Node['counters'], commits: number) =>
  Promise.all(Array.from({ length: commits }, (_, index) => add(counters, index)));

export function rebuildSuite(nodes: Nodes): void {
  it('a rebuild while others write and read fails no read, never steps back and ends where a replay ends', async () => {
    const topic = freshTopic();
    const { log, counters, sums } = await nodes.node(topic);
    await fill(counters, 500);
    const stale = {
      commitId: randomUUID(),
      streamId: streamOf(0),
      baseVersion: 0,
      previousCommitId: undefined,
      events: [counted(9)],
      metadata,
    };
    expect(await counters.append(stale)).toMatchObject({ kind: 'conflict' });
    const watch = new Watch(sums);
    const rebuilding = log.rebuild('sums');
    expect(log.rebuilding('sums')).toMatchObject({ name: 'sums', topic: topic.name });
    for (let rounds = 0; rounds === 0 || log.rebuilding('sums') !== undefined; rounds++)
      await fill(counters, 20);
    const outcome = await rebuilding;
    await fill(counters, 20);
    await watch.end();
    expect(outcome).toMatchObject({ kind: 'rebuilt', report: { differed: false, rows: STREAMS } });
    expect(log.rebuilding('sums')).toBeUndefined();
    expect(watch.faults).toEqual([]);
    expect(watch.reads).toBeGreaterThan(0);
    const replayed = await nodes.node(topic);
    expect(sums.stateHash()).toBe(replayed.sums.stateHash());
    expect(sums.progress()).toEqual(replayed.sums.progress());
  });

  it('a read model that is not what the log says is replaced, and the rows that differed are named', async () => {
    const topic = freshTopic();
    const { log } = await nodes.open();
    const counters = log.aggregate(counterOf(topic));
    let factor = 1; // a mistake that was made while these events were folded, and is mended now
    const scaled = log.project({
      name: 'scaled',
      topic,
      fold: (row: { sum: number } | undefined, event: { event: Counted }) => ({
        sum: (row?.sum ?? 0) + event.event.data.by * factor,
      }),
      indexes: { sum: (row) => String(row.sum) },
    });
    await log.start();
    await add(counters, 1);
    factor = 2;
    await add(counters, 2);
    factor = 1;
    const before = scaled.stateHash();
    const outcome = await log.rebuild('scaled');
    expect(outcome).toMatchObject({
      kind: 'rebuilt',
      report: { differed: true, difference: { rows: 1, keys: ['s-2'], liveHash: before } },
    });
    expect(scaled.get('s-2')).toEqual({ sum: 3 });
    expect(scaled.find('sum', '3', { limit: 10 })).toEqual([{ sum: 3 }]);
    expect(scaled.values('sum')).toEqual(['2', '3']);
    expect(outcome).toHaveProperty('report.difference.rebuiltHash', scaled.stateHash());
    await add(counters, 2);
    expect(scaled.get('s-2')).toEqual({ sum: 6 });
  });

  it('of one topic one rebuild runs at a time; the next request is told of it', async () => {
    const topic = freshTopic();
    const { log } = await nodes.open();
    const counters = log.aggregate(counterOf(topic));
    log.project(sumsOf(topic));
    log.project({ ...sumsOf(topic), name: 'other' });
    expect(await log.rebuild('sums')).toEqual({ kind: 'aborted', reason: 'not-started' });
    await log.start();
    await fill(counters, 40);
    const first = log.rebuild('sums');
    const running = { name: 'sums', topic: topic.name };
    expect(await log.rebuild('sums')).toMatchObject({ kind: 'running', running });
    expect(await log.rebuild('other')).toMatchObject({ kind: 'running', running });
    expect(await first).toMatchObject({ kind: 'rebuilt' });
    expect(await log.rebuild('other')).toMatchObject({ kind: 'rebuilt', report: { events: 80 } });
    expect(await log.rebuild('no such')).toEqual({ kind: 'unknown' });
  });

  it('an empty topic is rebuilt too', async () => {
    const { log } = await nodes.node(freshTopic());
    expect(await log.rebuild('sums')).toMatchObject({
      kind: 'rebuilt',
      report: { rows: 0, differed: false },
    });
  });

  it('closing the log gives a rebuild up and leaves the live read model as it was', async () => {
    const { log, counters, sums } = await nodes.node(freshTopic());
    await fill(counters, 40);
    const before = sums.stateHash();
    const rebuilding = log.rebuild('sums');
    await log.close();
    expect(await rebuilding).toEqual({ kind: 'aborted', reason: 'closed' });
    expect(sums.stateHash()).toBe(before);
    expect(await log.rebuild('sums')).toEqual({ kind: 'aborted', reason: 'closed' });
  });
}

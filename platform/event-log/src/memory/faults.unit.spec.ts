/** Faults that only a broker in memory can be told to have; what both adapters can have is in the feature suite. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { counted, countedTopic, type Counted } from '../../testing/counter.ts';
import { metadata, run } from '../../testing/harness.ts';
import { memoryCounters } from '../../testing/memory-counters.ts';
import type { LogLimits } from '../log/limits.ts';
import { partitionOf } from '../log/partition-of.ts';
import type { Aggregates } from '../ports.ts';

const topic = countedTopic('faults');
const partition = partitionOf('s', topic.partitions);
const setUp = (limits: Partial<LogLimits> = {}) => memoryCounters(topic, limits);
const decided = (
  counters: Aggregates<number, Counted>,
  decide: (sum: number) => readonly Counted[],
  commandId: string = randomUUID(),
) =>
  counters.execute({
    streamId: 's',
    commandId,
    decide: (sum) => ({ kind: 'events', events: decide(sum) }),
    metadata,
  });
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe('a send', () => {
  it('that is lost is repeated and the command is accepted', async () => {
    const { broker, counters } = await setUp();
    broker.failNextSends('lost', 'lost');
    expect(await run(counters, 's', 1)).toMatchObject({ kind: 'accepted', state: 1 });
  });

  it('whose acknowledgement is lost is repeated and counts once', async () => {
    const { broker, counters, open } = await setUp();
    broker.failNextSends('acknowledgement-lost', 'acknowledgement-lost');
    expect(await run(counters, 's', 1)).toMatchObject({ kind: 'accepted', state: 1 });
    expect(await run(counters, 's', 2)).toMatchObject({ kind: 'accepted', state: 3 });
    expect((await open()).counters.load('s')).toMatchObject({ state: 3, version: 2 });
  });

  it('that was acknowledged and went with the end of the log does not block its stream for ever', async () => {
    const { broker, counters, open } = await setUp({ echoDeadlineMs: 200 });
    broker.failNextSends('dropped');
    const soon = { deadlineMs: 100 }; // before both are sent again
    const outcomes = await Promise.all([run(counters, 's', 1, soon), run(counters, 's', 2, soon)]);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['unknown', 'unknown']);
    await expect.poll(() => counters.load('s')).toMatchObject({ state: 3, version: 2 });
    expect(await run(counters, 's', 4)).toMatchObject({ kind: 'accepted', state: 7, version: 3 });
    expect((await open()).counters.load('s')).toMatchObject({ state: 7, version: 3 });
  });

  it('that went with the end of the log is sent again ahead of what is chained on it and waits', async () => {
    const { broker, counters } = await setUp({ echoDeadlineMs: 100, lingerCommits: 1 });
    broker.failNextSends('dropped', ...Array.from({ length: 5 }, () => 'lost' as const));
    const gone = run(counters, 's', 1, { deadlineMs: 20_000 });
    await nextTurn(); // on its way
    // A send that is repeated for a second and a half; what is chained waits behind it.
    const neighbour = run(counters, streamLike('t'), 1, { deadlineMs: 20_000 });
    await nextTurn();
    const chained = run(counters, 's', 2, { deadlineMs: 20_000 });
    expect(await Promise.all([gone, neighbour, chained])).toMatchObject([
      { kind: 'accepted', state: 1, version: 1 },
      { kind: 'accepted' },
      { kind: 'accepted', state: 3, version: 2 },
    ]);
    expect(broker.records('faults', partition)).toHaveLength(3); // so nothing lay ahead of its predecessor
  });

  it('that is refused for one of its commits loses that one alone', async () => {
    const { broker, counters } = await setUp();
    broker.failNextSends('refused', 'refused'); // the batch of three, then its first commit alone
    const outcomes = await Promise.all(['a', 'b', 'c'].map((stream) => run(counters, streamLike(stream), 1)));
    expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['accepted', 'accepted', 'rejected']);
  });

  it('that is refused after one whose answer was lost is unknown, as the earlier copy may be in the log', async () => {
    const { broker, counters, link, open } = await setUp();
    const commandId = randomUUID();
    link.hold('answers');
    broker.failNextSends('acknowledgement-lost', 'refused');
    expect(await run(counters, 's', 1, { commandId })).toEqual({ kind: 'unknown', commitId: commandId });
    link.release();
    expect(await run(counters, 's', 1, { commandId })).toMatchObject({
      kind: 'duplicate',
      state: 1,
      version: 1,
    });
    expect(await run(counters, 's', 2)).toMatchObject({ kind: 'accepted', state: 3, version: 2 });
    expect((await open()).counters.load('s')).toMatchObject({ state: 3, version: 2 });
  });

  it('that is refused after one that was lost is unknown, and its stream goes on after the echo deadline', async () => {
    const { broker, counters, open } = await setUp({ echoDeadlineMs: 200 });
    broker.failNextSends('lost', 'refused', 'refused'); // sent, repeated, and sent again as no echo came
    const first = run(counters, 's', 1);
    await nextTurn();
    const behind = run(counters, 's', 2, { deadlineMs: 5000 });
    expect(await first).toMatchObject({ kind: 'unknown' });
    expect(await behind).toMatchObject({ kind: 'accepted', state: 2, version: 1 });
    expect(await run(counters, 's', 4)).toMatchObject({ kind: 'accepted', state: 6, version: 2 });
    expect((await open()).counters.load('s')).toMatchObject({ state: 6, version: 2 });
  });

  it('of a plain append that is refused after one whose answer was lost is unknown', async () => {
    const { broker, counters, link } = await setUp();
    const commit = {
      commitId: randomUUID(),
      streamId: 's',
      baseVersion: 0,
      previousCommitId: undefined,
      events: [counted(1)],
      metadata,
    };
    link.hold('answers');
    broker.failNextSends('acknowledgement-lost', 'refused');
    expect(await counters.append(commit)).toEqual({ kind: 'unknown', commitId: commit.commitId });
    link.release();
    const again = await counters.append(commit);
    expect(['accepted', 'duplicate']).toContain(again.kind); // whichever copy is met first
    expect(counters.load('s')).toMatchObject({ state: 1, version: 1 });
  });

  it('that is refused for a commit on which others are chained has those decided again', async () => {
    const { broker, counters } = await setUp();
    broker.failNextSends('refused', 'refused');
    const outcomes = await Promise.all([run(counters, 's', 1), run(counters, 's', 2), run(counters, 's', 4)]);
    expect(outcomes).toMatchObject([
      { kind: 'rejected' },
      { kind: 'accepted', state: 2, version: 1 },
      { kind: 'accepted', state: 6, version: 2 },
    ]);
  });
});

/** A stream of the same partition as `s`, so that its commits travel in one batch with others. */
function streamLike(prefix: string): string {
  for (let n = 0; ; n++)
    if (partitionOf(`${prefix}-${n}`, topic.partitions) === partition) return `${prefix}-${n}`;
}

describe('a command', () => {
  it('whose decider throws fails alone, also when it is decided again: reader and stream go on', async () => {
    const { counters, link, open, log } = await setUp();
    const rival = await open();
    link.hold('requests');
    const fragile = decided(counters, (sum) => {
      if (sum >= 100) throw new RangeError('a bug');
      return [counted(1)];
    });
    const behind = run(counters, 's', 2);
    expect(await run(rival.counters, 's', 100)).toMatchObject({ kind: 'accepted' });
    link.release();
    await expect(fragile).rejects.toThrow(RangeError);
    expect(await behind).toMatchObject({ kind: 'accepted', state: 102, version: 2 });
    await expect(
      decided(counters, () => [{ type: 'Counted', data: {} } as unknown as Counted]),
    ).rejects.toThrow();
    expect(await run(counters, 's', 4)).toMatchObject({ kind: 'accepted', state: 106, version: 3 });
    expect(log.health().topics[0]).toMatchObject({ badRecords: 0, failedFolds: 0 });
  });

  it('that lost may be led to the version of its lost attempt: a late copy of what was chained there stays out', async () => {
    const { broker, counters, link, open } = await setUp();
    const rival = await open();
    link.hold('requests');
    // Three events on nothing, and one chained on them. A rival's two events win: one event more makes three again.
    const first = decided(counters, (sum) =>
      sum === 0 ? [counted(1), counted(1), counted(1)] : [counted(1)],
    );
    const second = decided(counters, (sum) => (sum === 3 ? [counted(10)] : []));
    await nextTurn();
    expect(await decided(rival.counters, () => [counted(100), counted(100)])).toMatchObject({ version: 2 });
    link.release();
    expect(await first).toMatchObject({ kind: 'accepted', state: 201, version: 3 });
    expect(await second).toMatchObject({ kind: 'unchanged', state: 201, version: 3 });
    const [, , , , , loser] = broker.records('faults', partition);
    if (loser === undefined) throw new Error('the chained loser is not in the log');
    // A copy that the network had kept: the stream's version is its base, and its last commit has the id that it names.
    broker.appendRaw('faults', partition, loser);
    expect(await run(counters, 's', 1000)).toMatchObject({ kind: 'accepted', state: 1201, version: 4 });
    expect((await open()).counters.load('s')).toMatchObject({ state: 1201, version: 4 });
  });

  it('that was told unavailable while the log was cut under it is never sent', async () => {
    const { broker, counters, link, log } = await setUp();
    await run(counters, 's', 1);
    await run(counters, 's', 2);
    link.hold('requests');
    const sending = run(counters, 's', 4);
    await nextTurn();
    const waiting = run(counters, 's', 8);
    broker.truncate('faults', partition, 1);
    expect(await waiting).toEqual({ kind: 'unavailable', reason: 'disconnected' });
    expect(await sending).toMatchObject({ kind: 'unknown' });
    // Nothing is decided on the state that was dropped.
    expect(log.health().ready).toBe(false);
    expect(await run(counters, 's', 32)).toEqual({ kind: 'unavailable', reason: 'disconnected' });
    link.release();
    await expect.poll(() => log.health().ready).toBe(true);
    expect(await run(counters, 's', 16)).toMatchObject({ kind: 'accepted', state: 17, version: 2 });
    // The one that was told unknown names a commit that is no more; the one told unavailable is not in the log at all.
    expect(broker.records('faults', partition)).toHaveLength(3);
  });

  it('that is repeated while its echo is awaited is decided once', async () => {
    const { counters, link } = await setUp();
    const commandId = randomUUID();
    const seen: number[] = [];
    const once = (sum: number): readonly Counted[] => {
      seen.push(sum);
      return sum === 0 ? [counted(1)] : [];
    };
    link.hold('answers');
    const execute = (deadlineMs: number) =>
      counters.execute({
        streamId: 's',
        commandId,
        decide: (sum) => ({ kind: 'events', events: once(sum) }),
        metadata,
        deadlineMs,
      });
    expect(await execute(50)).toMatchObject({ kind: 'unknown' });
    const again = execute(5000);
    link.release();
    expect(await again).toMatchObject({ kind: 'accepted', state: 1, version: 1 });
    expect(seen).toEqual([0]);
  });
});

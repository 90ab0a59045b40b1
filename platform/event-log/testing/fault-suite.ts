/** What the event log does when the network, the log or a process fails. */
import { randomUUID } from 'node:crypto';
import { done } from '@parley/delivery';
import { expect, it } from 'vitest';
import { deriveId } from '../src/ids.ts';
import { partitionOf } from '../src/log/partition-of.ts';
import type { RecordedEvent } from '../src/ports.ts';
import { counted, counterOf, type Counted } from './counter.ts';
import { freshTopic, metadata, run, WAIT_MS_MAX, type Nodes } from './harness.ts';

const PATIENCE = { timeout: WAIT_MS_MAX };

export function faultSuite(nodes: Nodes): void {
  it.each(['requests', 'answers'] as const)(
    'a command whose %s are held up is unknown at its deadline, and counts once when it is sent again',
    async (held) => {
      const { counters, sums, link } = await nodes.node(freshTopic());
      await run(counters, 's', 1);
      const commandId = randomUUID();
      link.hold(held);
      expect(await run(counters, 's', 10, { commandId, deadlineMs: 300 })).toEqual({
        kind: 'unknown',
        commitId: commandId,
      });
      link.release();
      const again = await run(counters, 's', 10, { commandId });
      expect(again).toMatchObject({ state: 11, version: 2 });
      expect(['accepted', 'duplicate']).toContain(again.kind);
      expect(await run(counters, 's', 100)).toMatchObject({ kind: 'accepted', state: 111, version: 3 });
      expect(sums.get('s')).toEqual({ sum: 111, events: 3 });
    },
  );

  it.each(['requests', 'answers'] as const)(
    'a plain append whose %s are held up is unknown at its deadline, and counts once when it is sent again',
    async (held) => {
      const { counters, sums, link } = await nodes.node(freshTopic());
      const commit = {
        commitId: randomUUID(),
        streamId: 's',
        baseVersion: 0,
        previousCommitId: undefined,
        events: [counted(4)],
        metadata,
      };
      link.hold(held);
      const outcome = await counters.append(commit, { deadlineMs: 300 });
      expect(outcome).toEqual({ kind: 'unknown', commitId: commit.commitId });
      link.release();
      const again = await counters.append(commit);
      expect(['accepted', 'duplicate']).toContain(again.kind);
      expect(sums.get('s')).toEqual({ sum: 4, events: 1 });
    },
  );

  it('a command that was never sent within its deadline is unavailable and never appears', async () => {
    const { counters, sums, link } = await nodes.node(freshTopic());
    link.hold('requests');
    const first = run(counters, 's', 1, { deadlineMs: 700 });
    // The send of the first is under way once a macrotask has passed; the second waits for its acknowledgement.
    await new Promise((resolve) => setImmediate(resolve));
    const second = run(counters, 's', 10, { deadlineMs: 200 });
    expect(await second).toEqual({ kind: 'unavailable', reason: 'disconnected' });
    expect(await first).toMatchObject({ kind: 'unknown' });
    link.release();
    await expect.poll(() => counters.load('s').version, PATIENCE).toBe(1);
    expect(await run(counters, 's', 100)).toMatchObject({ kind: 'accepted', state: 101, version: 2 });
    expect(sums.get('s')).toEqual({ sum: 101, events: 2 });
  });

  it('commands chained on a predecessor that loses are decided again, in order, on what won', async () => {
    const topic = freshTopic();
    const mine = await nodes.node(topic);
    const rival = await nodes.node(topic);
    const decidedOn: number[] = [];
    const chained = (by: number) =>
      mine.counters.execute({
        streamId: 's',
        commandId: randomUUID(),
        decide: (sum) => {
          decidedOn.push(sum);
          return { kind: 'events', events: [counted(by)] };
        },
        metadata,
      });
    mine.link.hold('requests');
    const outcomes = [chained(1), chained(2), chained(3)];
    expect(await run(rival.counters, 's', 100)).toMatchObject({ kind: 'accepted', version: 1 });
    mine.link.release();
    expect(await Promise.all(outcomes)).toMatchObject([
      { kind: 'accepted', state: 101, version: 2 },
      { kind: 'accepted', state: 103, version: 3 },
      { kind: 'accepted', state: 106, version: 4 },
    ]);
    expect(decidedOn).toEqual([0, 1, 3, 100, 101, 103]);
  });

  it('what was chained on one attempt of a command is not accepted on another process’s attempt of it', async () => {
    const topic = freshTopic();
    const paused = await nodes.node(topic);
    const rival = await nodes.node(topic);
    const commandId = randomUUID();
    // Two events on nothing, one on anything else: behind one event of a stranger both attempts lead to version 2.
    const both = (counters: typeof paused.counters) =>
      counters.execute({
        streamId: 's',
        commandId,
        decide: (sum) => ({ kind: 'events', events: sum === 0 ? [counted(1), counted(1)] : [counted(1)] }),
        metadata,
      });
    const decidedOn: number[] = [];
    paused.link.hold('requests');
    const first = both(paused.counters);
    const chained = paused.counters.execute({
      streamId: 's',
      commandId: randomUUID(),
      decide: (sum) => {
        decidedOn.push(sum);
        return { kind: 'events', events: [counted(10)] };
      },
      metadata,
    });
    expect(await run(rival.counters, 's', 100)).toMatchObject({ kind: 'accepted', version: 1 });
    expect(await both(rival.counters)).toMatchObject({ kind: 'accepted', state: 101, version: 2 });
    paused.link.release();
    expect(await first).toMatchObject({ kind: 'duplicate', version: 2 });
    expect(await chained).toMatchObject({ kind: 'accepted', state: 111, version: 3 });
    expect(decidedOn).toEqual([2, 101]);
    await expect.poll(() => rival.sums.get('s'), PATIENCE).toEqual({ sum: 111, events: 3 });
  });

  it('a full queue refuses with a retryable answer, and what is queued is not lost', async () => {
    const { counters, link } = await nodes.node(freshTopic(), { limits: { maxQueuedCommands: 3 } });
    link.hold('requests');
    const queued = [run(counters, 's', 1), run(counters, 's', 1), run(counters, 's', 1)];
    expect(await run(counters, 's', 1)).toEqual({ kind: 'unavailable', reason: 'queue-full' });
    link.release();
    expect((await Promise.all(queued)).map(({ kind }) => kind)).toEqual(['accepted', 'accepted', 'accepted']);
    expect(await run(counters, 's', 1)).toMatchObject({ kind: 'accepted', state: 4 });
  });

  it('a log that is closed lets what is under way finish, and refuses what comes later', async () => {
    const { log, counters } = await nodes.node(freshTopic());
    const under = [run(counters, 's', 1), run(counters, 's', 1)];
    const plain = counters.append({
      commitId: randomUUID(),
      streamId: 't',
      baseVersion: 0,
      previousCommitId: undefined,
      events: [counted(1)],
      metadata,
    });
    const closed = log.close({ deadlineMs: WAIT_MS_MAX });
    expect((await Promise.all([...under, plain])).map(({ kind }) => kind)).toEqual([
      'accepted',
      'accepted',
      'accepted',
    ]);
    await closed;
    expect(await run(counters, 's', 1)).toEqual({ kind: 'unavailable', reason: 'closed' });
  });

  it.each([
    ['its last record', 3, 7],
    ['more than its last record', 1, 1],
  ])(
    'a live reader of a log that lost %s drops its state and folds what is there',
    async (_what, length, sum) => {
      const topic = freshTopic();
      const { counters, sums, log } = await nodes.node(topic);
      for (const by of [1, 2, 4, 8]) await run(counters, 's', by);
      const harness = await nodes.harness();
      await harness.truncate(topic.name, partitionOf('s', topic.partitions), length);
      await expect.poll(() => counters.load('s'), PATIENCE).toMatchObject({ version: length, state: sum });
      await expect.poll(() => log.health().ready, PATIENCE).toBe(true);
      const next = await run(counters, 's', 100);
      expect(next).toMatchObject({ kind: 'accepted', state: sum + 100, version: length + 1 });
      const later = await nodes.node(topic);
      expect(later.sums.stateHash()).toBe(sums.stateHash());
      expect(later.sums.get('s')).toEqual({ sum: sum + 100, events: length + 1 });
    },
  );

  it('a reaction misses nothing of a log that was cut behind its back and written anew', async () => {
    const topic = freshTopic();
    const seen: number[] = [];
    const react = (event: RecordedEvent<Counted>): Promise<void> => {
      seen.push(event.event.data.by);
      return Promise.resolve();
    };
    const first = await nodes.node(topic, { react });
    for (const by of [1, 2, 4, 8]) await run(first.counters, 's', by);
    await expect.poll(() => seen, PATIENCE).toEqual([1, 2, 4, 8]);
    await first.log.close();
    const harness = await nodes.harness();
    await harness.truncate(topic.name, partitionOf('s', topic.partitions), 2);
    const writer = await nodes.node(topic);
    for (const by of [16, 32, 64]) await run(writer.counters, 's', by);
    await nodes.node(topic, { react });
    await expect.poll(() => seen.slice(4), PATIENCE).toEqual(expect.arrayContaining([16, 32, 64]));
  });

  it('a reaction that crashed after its effect resumes elsewhere: nothing is lost, no effect is repeated', async () => {
    const topic = freshTopic();
    const effects = freshTopic();
    const reacting = async (crashAt: number | undefined) => {
      const { log } = await nodes.open();
      const counters = log.aggregate(counterOf(topic));
      const effected = log.aggregate(counterOf(effects));
      const handled: number[] = [];
      const crash = Promise.withResolvers<undefined>();
      log.react({
        group: `${topic.name}.effects`,
        topic,
        handle: async ({ event, eventId }: RecordedEvent<Counted>) => {
          const outcome = await run(effected, 'effects', event.data.by, {
            commandId: deriveId('effect', eventId),
          });
          if (outcome.kind !== 'accepted' && outcome.kind !== 'duplicate') throw new Error(outcome.kind);
          handled.push(event.data.by);
          if (event.data.by !== crashAt) return done;
          crash.resolve(undefined);
          return await new Promise<never>(() => undefined); // the process is gone: neither the offset nor the group hears of it
        },
      });
      await log.start();
      return { log, counters, effected, handled, crashed: crash.promise };
    };
    const first = await reacting(4);
    for (const by of [1, 2, 4, 8]) await run(first.counters, 's', by);
    await first.crashed;
    await first.log.close({ deadlineMs: 100 });
    const second = await reacting(undefined);
    await run(second.counters, 's', 16);
    await expect.poll(() => second.handled.at(-1), PATIENCE).toBe(16);
    expect(second.handled).toEqual(expect.arrayContaining([4, 8, 16]));
    expect(second.effected.load('effects')).toMatchObject({ state: 31, version: 5 });
  });
}

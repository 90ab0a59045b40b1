/** Where a stream stands, and waiting for it. */
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { partitionOf } from '../src/log/partition-of.ts';
import type { Aggregates, LogPosition } from '../src/ports.ts';
import { counted, type Counted } from './counter.ts';
import { freshTopic, metadata, WAIT_MS_MAX, type Nodes } from './harness.ts';

const addTwo = async (counters: Aggregates<number, Counted>): Promise<LogPosition> => {
  const outcome = await counters.execute({
    streamId: 's',
    commandId: randomUUID(),
    decide: () => ({ kind: 'events', events: [counted(1), counted(2)] }),
    metadata,
  });
  if (outcome.kind !== 'accepted') throw new Error(outcome.kind);
  return outcome.position;
};

export function positionSuite(nodes: Nodes): void {
  it("a stream's position is that of its last accepted event, whatever lies behind it", async () => {
    const { counters } = await nodes.node(freshTopic());
    expect(counters.load('s').position).toBeUndefined();
    const first = await addTwo(counters);
    expect(counters.load('s').position).toEqual(first);
    const stale = { commitId: randomUUID(), streamId: 's', baseVersion: 0, previousCommitId: undefined };
    expect(await counters.append({ ...stale, events: [counted(9)], metadata })).toMatchObject({
      kind: 'conflict',
    });
    expect(counters.load('s').position).toEqual(first);
    const second = await addTwo(counters);
    expect(second.offset).toBe(first.offset + 3);
    expect(counters.load('s').position).toEqual(second);
  });

  it('whoever waits for the position of a write of another process reads that write', async () => {
    const topic = freshTopic();
    const [writer, reader] = [await nodes.node(topic), await nodes.node(topic)];
    for (let writes = 1; writes <= 20; writes++) {
      const position = await addTwo(writer.counters);
      expect(await reader.log.waitFor(position, { deadlineMs: WAIT_MS_MAX })).toBe('reached');
      expect(reader.sums.get('s')).toEqual({ sum: 3 * writes, events: 2 * writes });
    }
  });

  it('a position that is not there is late at its deadline, and a topic that is not read holds nobody up', async () => {
    const topic = freshTopic();
    const { log } = await nodes.node(topic, { limits: { maxWaitsBeyondEnd: 2 } });
    const position = { topic: topic.name, partition: partitionOf('s', 4), offset: 1_000_000 };
    const startedAtMs = performance.now();
    const waits = Array.from({ length: 2 }, () => log.waitFor(position, { deadlineMs: 200 }));
    // More than may wait at the same time: late at once.
    expect(await log.waitFor(position, { deadlineMs: 60_000 })).toBe('late');
    expect(await Promise.all(waits)).toEqual(['late', 'late']);
    expect(performance.now() - startedAtMs).toBeGreaterThan(190);
    expect(await log.waitFor({ ...position, topic: 'another' }, { deadlineMs: 60_000 })).toBe('not-followed');
    await expect(log.waitFor({ ...position, partition: 4 }, { deadlineMs: 1 })).rejects.toThrow(RangeError);
  });

  it('whoever waits for what the log does not have takes no place from those whose position is in it', async () => {
    const topic = freshTopic();
    const writer = await nodes.node(topic);
    const { log } = await nodes.node(topic, { limits: { maxWaits: 4, maxWaitsBeyondEnd: 1 } });
    const written = await addTwo(writer.counters);
    const deadlineMs = WAIT_MS_MAX;
    expect(await log.waitFor(written, { deadlineMs })).toBe('reached');
    const beyond = { ...written, offset: written.offset + 100 };
    const waits = Array.from({ length: 4 }, () => log.waitFor(beyond, { deadlineMs }));
    expect(await log.waitFor(written, { deadlineMs })).toBe('reached'); // all places are taken; this one needs none
    expect(await Promise.race(waits)).toBe('late');
    for (let writes = 0; writes < 5; writes++)
      expect(await log.waitFor(await addTwo(writer.counters), { deadlineMs })).toBe('reached');
    // One of them has waited all the time: it is told when the log gets there.
    const events = Array.from({ length: 100 }, () => counted(1));
    const decide = () => ({ kind: 'events' as const, events });
    await writer.counters.execute({ streamId: 's', commandId: randomUUID(), decide, metadata });
    expect((await Promise.all(waits)).toSorted()).toEqual(['late', 'late', 'late', 'reached']);
  });
}

/** What stands still is told, and for how long; what only pauses is not. */
import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import avsc, { type Schema } from 'avsc';
import { expect, it } from 'vitest';
import { encodeCommitHeader, toKey } from '../src/arbitration/commit-header.ts';
import { logHeaders } from '../src/headers.ts';
import { partitionOf } from '../src/log/partition-of.ts';
import type { EventLog, EventLogHealth } from '../src/ports.ts';
import { countedSchema } from './counter.ts';
import { freshTopic, run, WAIT_MS_MAX, type Nodes } from './harness.ts';

const PATIENCE = { timeout: WAIT_MS_MAX, interval: 20 };
const limits = { standstillMs: 500 };
const react = (): Promise<void> => Promise.resolve();

/** Asks a log how it is, again and again, and keeps what it said when it was not ready. */
const unready = (log: EventLog): (() => Promise<readonly (string | undefined)[]>) => {
  const said: (string | undefined)[] = [];
  const stop = new AbortController();
  const asking = (async () => {
    while (!stop.signal.aborted) {
      const { ready, waitingFor } = log.health();
      if (!ready) said.push(waitingFor);
      await pause(5);
    }
  })();
  return async () => {
    stop.abort();
    await asking;
    return said;
  };
};

export function standstillSuite(nodes: Nodes): void {
  it('a reader that waits for a schema while the log has more makes the log not ready, and says so', async () => {
    const topic = freshTopic();
    const partition = partitionOf('s', topic.partitions);
    const harness = await nodes.harness();
    const { log, counters } = await nodes.node(topic, { limits });
    await run(counters, 's', 1);
    const newer = { ...countedSchema, doc: randomUUID() };
    const schemaId = await harness.registerSchema(`newer.${randomUUID()}`, newer);
    const value = Buffer.concat([
      Buffer.from([0, 0, 0, 0, 0]),
      avsc.Type.forSchema(newer as Schema).toBuffer({ by: 2, note: '' }),
    ]);
    value.writeUInt32BE(schemaId, 1);
    harness.registry.hold('requests');
    const { version, lastCommitId = '' } = counters.load('s');
    const header = {
      commit: toKey(randomUUID()),
      previous: toKey(lastCommitId),
      base: version,
      index: 0,
      size: 1,
      history: undefined,
    };
    const offset = await harness.appendRaw(topic.name, partition, {
      key: Buffer.from('s'),
      value,
      headers: { [logHeaders.commit]: encodeCommitHeader(header) },
    });
    const where = `${topic.name}/${String(partition)}@${String(offset)}`;
    const what = `${where} to be folded, which waits for schema ${String(schemaId)} of the registry`;
    // Before the record has come at all, a slow reader may stand still too.
    await expect
      .poll(() => log.health(), PATIENCE)
      .toMatchObject({ ready: false, waitingFor: expect.stringContaining(what) as unknown });
    expect((await log.projections())[0]?.waitingFor).toContain(what);
    harness.registry.release();
    await expect.poll(() => log.health().ready, PATIENCE).toBe(true);
    expect(counters.load('s')).toMatchObject({ state: 3, version: 2 });
    expect((await log.projections())[0]?.waitingFor).toBeUndefined();
  });

  it('a reaction that its group does not let in again makes the log not ready, and says so', async () => {
    const topic = freshTopic();
    const harness = await nodes.harness();
    const group = `${topic.name}.g`;
    const { log, link } = await nodes.node(topic, { limits, react });
    await expect.poll(() => log.health().reactions, PATIENCE).toMatchObject([{ joined: true }]);
    link.hold('requests'); // the group gives this member up
    const release = await harness.takeGroup(group, topic.name);
    link.release();
    const what = `consumer group ${group} to let this process in again`;
    await expect
      .poll(() => log.health(), PATIENCE)
      .toMatchObject({
        ready: false,
        waitingFor: expect.stringContaining(what) as unknown,
        reactions: [{ group, joined: false, assigned: [] }],
      });
    await release();
    await expect
      .poll(() => log.health(), PATIENCE)
      .toMatchObject({
        ready: true,
        waitingFor: undefined,
        reactions: [{ joined: true, assigned: [0, 1, 2, 3] }],
      });
  });

  it('a reaction that is let in again and again and never gets on with one partition, while it does with another, makes the log not ready, and says so, until it does', async () => {
    const topic = { ...freshTopic(), partitions: 2 };
    const streamIn = (partition: number): string => {
      for (let n = 0; ; n++) if (partitionOf(String(n), topic.partitions) === partition) return String(n);
    };
    const [stuck, busy] = [streamIn(0), streamIn(1)];
    const harness = await nodes.harness();
    const { counters } = await nodes.node(topic);
    await run(counters, stuck, 1);
    // What is committed of each partition is looked up before it goes on: both are then handled after the same fetch.
    const before = await nodes.node(topic, { react });
    await expect.poll(() => before.log.health().reactions, PATIENCE).toMatchObject([{ handled: 1, lag: 0 }]);
    await before.log.close();
    await harness.appendRaw(topic.name, 0, { key: null, value: null });
    await run(counters, stuck, 1);
    const group = `${topic.name}.g`;
    const handled: string[] = [];
    // It remembers no verdict on what was rejected, which its reaction has still before it.
    const { log } = await nodes.node(topic, {
      limits: { ...limits, maxRejectedOffsets: 0 },
      react: ({ streamId }) => {
        handled.push(streamId);
        return react();
      },
    });
    const health = async (): Promise<EventLogHealth> => {
      await run(counters, busy, 1); // each of its consumers has something to commit
      return log.health();
    };
    const what = `^the reaction ${group} to get on, whose consumer has ended \\d+ times in a row, for \\d+ s$`;
    await expect
      .poll(health, PATIENCE)
      .toMatchObject({ ready: false, waitingFor: expect.stringMatching(new RegExp(what)) as unknown });
    expect(new Set(handled)).toEqual(new Set([busy]));
    const peerHandled: string[] = [];
    const peer = await nodes.node(topic, {
      react: ({ streamId }) => {
        peerHandled.push(streamId);
        return react();
      },
    });
    await expect.poll(() => peerHandled, PATIENCE).toContain(stuck);
    await expect.poll(() => peer.log.health().reactions, PATIENCE).toMatchObject([{ joined: true, lag: 0 }]);
    await peer.log.close();
    await run(counters, stuck, 1);
    await expect
      .poll(() => log.health(), PATIENCE)
      .toMatchObject({ ready: true, waitingFor: undefined, reactions: [{ lag: 0 }] });
    expect(handled).toContain(stuck);
  });

  it('members that come and go make no peer unready', async () => {
    const topic = freshTopic();
    const { log } = await nodes.node(topic, { react });
    const said = unready(log);
    const assigned = (): number | undefined => log.health().reactions[0]?.assigned.length;
    for (let round = 0; round < 2; round++) {
      const peer = await nodes.node(topic, { react });
      await expect.poll(assigned, PATIENCE).toBe(2);
      await peer.log.close();
      await expect.poll(assigned, PATIENCE).toBe(4);
    }
    expect(await said()).toEqual([]);
  });

  it('a log that does not answer is told, and makes nobody unready, also when it answers again', async () => {
    const topic = freshTopic();
    const { log, counters, link } = await nodes.node(topic, { limits: { standstillMs: 2000 } });
    await run(counters, 's', 1);
    const said = unready(log);
    link.hold('requests');
    await expect.poll(() => log.health().waitingFor, PATIENCE).toMatch(/^the log to answer, for \d+ s$/);
    link.release();
    await expect.poll(() => log.health().waitingFor, PATIENCE).toBeUndefined();
    expect(await said()).toEqual([]);
    expect(await run(counters, 's', 2)).toMatchObject({ kind: 'accepted', state: 3 });
  });
}

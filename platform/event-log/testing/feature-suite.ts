/**
 * What every adapter of the event log must do. Run on the in-memory adapter (unit) and on Kafka (integration).
 */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { deriveId } from '../src/ids.ts';
import type { LogPosition, RecordedEvent } from '../src/ports.ts';
import { badRecordSuite } from './bad-record-suite.ts';
import { counted, type Counted } from './counter.ts';
import { deadLetterSuite } from './dead-letter-suite.ts';
import { faultSuite } from './fault-suite.ts';
import { freshTopic, metadata, Nodes, run, TEST_MS_MAX, WAIT_MS_MAX, type Harness } from './harness.ts';
import { positionSuite } from './position-suite.ts';
import { reactionSuite } from './reaction-suite.ts';
import { rebuildSuite } from './rebuild-suite.ts';
import { standstillSuite } from './standstill-suite.ts';

/** Runs the suite. `make` answers a fresh harness; topics have fresh names, so a shared broker is fine. */
export function eventLogFeatureSuite(name: string, make: () => Promise<Harness>): void {
  describe(name, { timeout: TEST_MS_MAX }, () => {
    const nodes = new Nodes(make);
    const node: Nodes['node'] = (topic, options) => nodes.node(topic, options);
    const add = (by: number) => () => ({ kind: 'events' as const, events: [counted(by)] });
    const positionOf = (outcome: object): LogPosition => {
      if (!('position' in outcome)) throw new Error(`no position in ${JSON.stringify(outcome)}`);
      return outcome.position as LogPosition;
    };

    faultSuite(nodes);
    badRecordSuite(nodes);
    positionSuite(nodes);
    rebuildSuite(nodes);
    reactionSuite(nodes);
    deadLetterSuite(nodes);
    standstillSuite(nodes);

    it('an accepted append is in the fold and in the read model of its writer', async () => {
      const { counters, sums } = await node(freshTopic());
      const outcome = await run(counters, 's-1', 5);
      expect(outcome).toMatchObject({ kind: 'accepted', state: 5, version: 1 });
      expect(counters.load('s-1')).toMatchObject({ state: 5, version: 1 });
      expect(sums.get('s-1')).toEqual({ sum: 5, events: 1 });
    });

    it('a commit of several events is accepted as a whole, with consecutive versions', async () => {
      const { counters, sums } = await node(freshTopic());
      const outcome = await counters.execute({
        streamId: 's-1',
        commandId: randomUUID(),
        decide: () => ({ kind: 'events', events: [counted(1), counted(2), counted(3)] }),
        metadata,
      });
      expect(outcome).toMatchObject({ kind: 'accepted', state: 6, version: 3 });
      expect(sums.get('s-1')).toEqual({ sum: 6, events: 3 });
    });

    it('a commit that names another base or predecessor is a conflict and changes nothing', async () => {
      const { counters, sums } = await node(freshTopic());
      await run(counters, 's-1', 1);
      const { lastCommitId } = counters.load('s-1');
      const stale = { commitId: randomUUID(), streamId: 's-1', events: [counted(9)], metadata };
      expect(await counters.append({ ...stale, baseVersion: 0, previousCommitId: undefined })).toMatchObject({
        kind: 'conflict',
      });
      const stranger = { ...stale, commitId: randomUUID(), baseVersion: 1, previousCommitId: randomUUID() };
      expect(await counters.append(stranger)).toMatchObject({ kind: 'conflict' });
      expect(sums.get('s-1')).toEqual({ sum: 1, events: 1 });
      expect(counters.load('s-1')).toMatchObject({ version: 1, lastCommitId });
    });

    it('a commit that is sent twice counts once, and the second one is named a duplicate', async () => {
      const { counters, sums } = await node(freshTopic());
      const commit = {
        commitId: randomUUID(),
        streamId: 's-1',
        baseVersion: 0,
        previousCommitId: undefined,
        events: [counted(4)],
        metadata,
      };
      const first = await counters.append(commit);
      expect(first).toMatchObject({ kind: 'accepted', version: 1 });
      expect(await counters.append(commit)).toEqual({ ...first, kind: 'duplicate' });
      expect(sums.get('s-1')).toEqual({ sum: 4, events: 1 });
    });

    it('a command that is repeated, later or at the same time, is recorded once', async () => {
      const { counters, sums } = await node(freshTopic());
      const commandId = randomUUID();
      const outcomes = await Promise.all([1, 2, 3].map(() => run(counters, 's-1', 7, { commandId })));
      outcomes.push(await run(counters, 's-1', 7, { commandId }));
      expect(outcomes.map(({ kind }) => kind)).toEqual(['accepted', 'duplicate', 'duplicate', 'duplicate']);
      expect(sums.get('s-1')).toEqual({ sum: 7, events: 1 });
    });

    it('commands on one stream are decided in the order of the calls, each on what the ones before lead to', async () => {
      const { counters } = await node(freshTopic());
      const seen: number[] = [];
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, () =>
          counters.execute({
            streamId: 'hot',
            commandId: randomUUID(),
            decide: (state) => {
              seen.push(state);
              return { kind: 'events', events: [counted(1)] };
            },
            metadata,
          }),
        ),
      );
      expect(outcomes.every(({ kind }) => kind === 'accepted')).toBe(true);
      expect(seen).toEqual(Array.from({ length: 50 }, (_, index) => index));
    });

    it('a refusal is answered with the state that it was decided on', async () => {
      const { counters } = await node(freshTopic());
      const limited = (by: number) =>
        counters.execute<'limit'>({
          streamId: 's',
          commandId: randomUUID(),
          decide: (sum) =>
            sum + by > 10
              ? { kind: 'refused', rejection: 'limit' }
              : { kind: 'events', events: [counted(by)] },
          metadata,
        });
      const [first, second] = await Promise.all([limited(8), limited(8)]);
      expect(first).toMatchObject({ kind: 'accepted' });
      expect(second).toMatchObject({ kind: 'refused', rejection: 'limit', state: 8 });
    });

    it('writers that race on one stream lose nothing and count nothing twice', async () => {
      const topic = freshTopic();
      const racers = [await node(topic), await node(topic)];
      const outcomes = await Promise.all(
        racers.flatMap(({ counters }) => Array.from({ length: 20 }, () => run(counters, 's', 1))),
      );
      const accepted = outcomes.filter(({ kind }) => kind === 'accepted');
      expect(accepted.length).toBeGreaterThan(0);
      const hashes: string[] = [];
      for (const { log, sums } of racers) {
        for (const outcome of accepted)
          expect(await log.waitFor(positionOf(outcome), { deadlineMs: WAIT_MS_MAX })).toBe('reached');
        expect(sums.get('s')?.sum).toBe(accepted.length);
        hashes.push(sums.stateHash());
      }
      expect(new Set(hashes).size).toBe(1);
      for (const { kind } of outcomes) expect(['accepted', 'conflict']).toContain(kind);
    });

    it('a commit that cannot fit into a batch is rejected and the next one is not', async () => {
      const { counters } = await node(freshTopic());
      const large = await counters.execute({
        streamId: 's',
        commandId: randomUUID(),
        decide: () => ({ kind: 'events', events: [counted(1, 'x'.repeat(1_100_000))] }),
        metadata,
      });
      expect(large).toMatchObject({ kind: 'rejected', reason: 'too-large' });
      expect(await run(counters, 's', 1)).toMatchObject({ kind: 'accepted', version: 1 });
    });

    it('a reader that starts later is ready only at the end of the log and folds the same state', async () => {
      const topic = freshTopic();
      const first = await node(topic);
      await Promise.all(
        Array.from({ length: 100 }, (_, index) => run(first.counters, `s-${String(index % 10)}`, index)),
      );
      const later = await node(topic);
      expect(later.log.health().ready).toBe(true);
      expect(later.sums.stateHash()).toBe(first.sums.stateHash());
      expect(later.sums.progress().nextOffsets).toEqual(first.sums.progress().nextOffsets);
    });

    it('a reaction acts on accepted commits only, in the order of each stream', async () => {
      const topic = freshTopic();
      const seen: number[] = [];
      const { counters } = await node(topic, {
        react: (event) => {
          seen.push(event.event.data.by);
          return Promise.resolve();
        },
      });
      await run(counters, 's', 1);
      const stale = {
        commitId: randomUUID(),
        streamId: 's',
        baseVersion: 0,
        previousCommitId: undefined,
        metadata,
      };
      expect(await counters.append({ ...stale, events: [counted(99)] })).toMatchObject({ kind: 'conflict' });
      await run(counters, 's', 2);
      await run(counters, 's', 3);
      await expect.poll(() => seen, { timeout: WAIT_MS_MAX }).toEqual([1, 2, 3]);
    });

    it('a reaction that fails is repeated until it succeeds, and what is behind it waits', async () => {
      const topic = freshTopic();
      const seen: number[] = [];
      let failures = 2;
      const { counters } = await node(topic, {
        react: (event) => {
          if (failures-- > 0) return Promise.reject(new Error('not yet'));
          seen.push(event.event.data.by);
          return Promise.resolve();
        },
      });
      await run(counters, 's', 1);
      await run(counters, 's', 2);
      await expect.poll(() => seen, { timeout: WAIT_MS_MAX }).toEqual([1, 2]);
    });

    it('a reaction that stopped resumes in another process without losing an event', async () => {
      const topic = freshTopic();
      const effects = new Map<string, number>();
      const act = (event: RecordedEvent<Counted>): Promise<void> => {
        effects.set(event.eventId, event.event.data.by);
        return Promise.resolve();
      };
      const first = await node(topic, { react: act });
      for (let by = 1; by <= 5; by++) await run(first.counters, 's', by);
      await expect.poll(() => effects.size, { timeout: WAIT_MS_MAX }).toBe(5);
      await first.log.close();
      const writer = await node(topic);
      for (let by = 6; by <= 10; by++) await run(writer.counters, 's', by);
      await node(topic, { react: act });
      await expect.poll(() => effects.size, { timeout: WAIT_MS_MAX }).toBe(10);
      expect([...effects.values()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    });

    it('every event carries derived ids and the metadata of its command', async () => {
      const topic = freshTopic();
      const seen: RecordedEvent<Counted>[] = [];
      const { counters } = await node(topic, {
        react: (event) => {
          seen.push(event);
          return Promise.resolve();
        },
      });
      const commandId = deriveId('suite', 'metadata');
      const command = {
        streamId: 's',
        commandId,
        decide: add(1),
        metadata: { correlationId: 'c-1', causationId: 'e-1' },
      };
      await counters.execute(command);
      await expect.poll(() => seen.length, { timeout: WAIT_MS_MAX }).toBe(1);
      expect(seen[0]).toMatchObject({
        commitId: commandId,
        version: 1,
        correlationId: 'c-1',
        causationId: 'e-1',
        streamId: 's',
      });
    });
  });
}

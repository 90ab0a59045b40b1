/** What a log that starts from a snapshot must do, on every adapter. */
import { Buffer } from 'node:buffer';
import { done } from '@parley/delivery';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCommitHeader, toKey } from '../src/arbitration/commit-header.ts';
import { logHeaders } from '../src/headers.ts';
import { partitionOf } from '../src/log/partition-of.ts';
import { counted } from './counter.ts';
import { Nodes, metadata, TEST_MS_MAX, WAIT_MS_MAX, type Harness } from './harness.ts';
import {
  addTo,
  answersOf,
  commitIdOf,
  counterIn,
  freshSnapshotTopic,
  startNode,
  streamOf,
  sumsIn,
  temporaryFolders,
  type SnapshotNode,
} from './snapshot-nodes.ts';

const seed = 20_261_124;

type Step =
  | {
      readonly kind: 'append';
      readonly stream: number;
      readonly commit: number;
      readonly behind: number;
      readonly by: readonly number[];
    }
  | { readonly kind: 'bad'; readonly stream: number; readonly value: Buffer | null }
  | { readonly kind: 'torn'; readonly stream: number; readonly commit: number };

const anyStream = fc.nat(5);
const anyCommit = fc.nat(40);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      stream: anyStream,
      commit: anyCommit,
      behind: fc.constantFrom(0, 0, 0, 1),
      by: fc.array(fc.integer({ min: -3, max: 9 }), { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('bad' as const),
      stream: anyStream,
      value: fc.constantFrom(null, Buffer.from('rubbish')),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('torn' as const), stream: anyStream, commit: anyCommit }),
  },
);

type Topic = ReturnType<typeof freshSnapshotTopic>;

/** Takes one step and answers what the log said to it, or where a stranger's record came to lie. */
const take = async (step: Step, harness: Harness, topic: Topic, node: SnapshotNode): Promise<unknown> => {
  const streamId = streamOf(step.stream);
  const partition = partitionOf(streamId, topic.partitions);
  if (step.kind === 'append') {
    const { version, lastCommitId } = node.counters.load(streamId);
    const outcome = await node.counters.append({
      commitId: commitIdOf(String(step.commit)),
      streamId,
      baseVersion: Math.max(0, version - step.behind),
      previousCommitId: lastCommitId,
      events: step.by.map((by) => counted(by, `note ${by}`)),
      metadata,
    });
    return 'position' in outcome ? { ...outcome, position: outcome.position.offset } : outcome;
  }
  const commit = commitIdOf(step.kind === 'torn' ? String(step.commit) : 'bad');
  const size = step.kind === 'torn' ? 2 : 1;
  const header = { commit: toKey(commit), previous: '', base: 0, index: 0, size, history: undefined };
  const offset = await harness.appendRaw(topic.name, partition, {
    key: Buffer.from(streamId),
    value: step.kind === 'torn' ? Buffer.from('rubbish') : step.value,
    headers: { [logHeaders.commit]: encodeCommitHeader(header) },
  });
  const position = { topic: topic.name, partition, offset };
  expect(await node.log.waitFor(position, { deadlineMs: WAIT_MS_MAX })).toBe('reached');
  return offset;
};

/** @param numRuns random histories. Topics have fresh names, so a shared broker is fine. */
export function snapshotSuite(name: string, make: () => Promise<Harness>, numRuns: number): void {
  describe(name, { timeout: TEST_MS_MAX }, () => {
    const freshFolder = temporaryFolders(); // made first, so removed last: a log that closes writes into it
    const nodes = new Nodes(make);
    const start = async (topic: Topic, snapshotDir?: string): Promise<SnapshotNode> => {
      const { log } = await nodes.open(snapshotDir === undefined ? {} : { snapshotDir });
      return startNode(log, topic);
    };

    it('gives every answer and every verdict that a log without snapshots gives, and restarts as often as it likes', async () => {
      const anyLife = fc.array(anyStep, { minLength: 10, maxLength: 25 });
      await fc.assert(
        fc.asyncProperty(fc.tuple(anyLife, anyLife), async (lives) => {
          const folder = await freshFolder();
          const harness = await nodes.harness();
          const topic = freshSnapshotTopic();
          const plainTopic = freshSnapshotTopic();
          const plain = await start(plainTopic);
          for (const steps of lives) {
            const node = await start(topic, folder);
            expect(answersOf(node)).toStrictEqual(answersOf(plain));
            for (const step of steps) {
              const said = await take(step, harness, topic, node);
              expect(said).toStrictEqual(await take(step, harness, plainTopic, plain));
            }
            expect(answersOf(node)).toStrictEqual(answersOf(plain));
            await node.log.close();
          }
          const replayed = await start(topic);
          expect(answersOf(await start(topic, folder))).toStrictEqual(answersOf(replayed));
        }),
        { seed, numRuns },
      );
    });

    it('names a repetition of a commit that the snapshot holds a duplicate, with its old position', async () => {
      const folder = await freshFolder();
      const topic = freshSnapshotTopic();
      const node = await start(topic, folder);
      const first = await addTo(node, 0, 1, 'first');
      await node.log.close();
      const again = await addTo(await start(topic, folder), 0, 1, 'first');
      expect(again).toEqual({ ...first, kind: 'duplicate' });
    });

    it('does not let a reaction that stands behind the snapshot act on what was rejected', async () => {
      const folder = await freshFolder();
      const topic = freshSnapshotTopic();
      const node = await start(topic, folder);
      await addTo(node, 0, 1, 'accepted');
      const stale = { streamId: streamOf(0), baseVersion: 0, previousCommitId: undefined, metadata };
      const outcome = await node.counters.append({
        ...stale,
        commitId: commitIdOf('stale'),
        events: [counted(99)],
      });
      expect(outcome.kind).toBe('conflict');
      await addTo(node, 0, 2, 'accepted too');
      await node.log.close();
      const { log } = await nodes.open({ snapshotDir: folder });
      log.aggregate(counterIn(topic));
      log.project(sumsIn(topic));
      const seen: number[] = [];
      log.react({
        group: `${topic.name}.late`,
        topic,
        handle: ({ event }) => {
          seen.push(event.data.by);
          return Promise.resolve(done);
        },
      });
      await log.start();
      await expect.poll(() => seen, { timeout: WAIT_MS_MAX }).toEqual([1, 2]);
    });

    it('starts only when all rows are there again, when other records lie in the last of its partitions alone', async () => {
      const folder = await freshFolder();
      const topic = freshSnapshotTopic();
      const node = await start(topic, folder);
      const rows = 400;
      const fill = (on: SnapshotNode, by: number, streams: readonly number[]) =>
        Promise.all(streams.map((stream) => addTo(on, stream, by, `${by} to ${stream}`)));
      const streams = Array.from({ length: rows }, (_, stream) => stream);
      const last = topic.partitions - 1;
      const inLast = streams.filter((stream) => partitionOf(streamOf(stream), topic.partitions) === last);
      expect(inLast.length).toBeGreaterThan(10);
      // One batch of its own, so that it alone can be left when the partition is cut.
      await fill(node, 1, inLast.slice(0, 1));
      await fill(node, 1, streams);
      await node.log.close();
      const harness = await nodes.harness();
      await harness.truncate(topic.name, last, 1);
      const other = await start(topic);
      await fill(other, 2, inLast.slice(1));
      const restarted = await start(topic, folder);
      expect(restarted.view.size).toBe(rows);
      expect(answersOf(restarted)).toStrictEqual(answersOf(other));
    });

    it('drops it when other records lie in the log than were folded, and is ready only then', async () => {
      const folder = await freshFolder();
      const topic = freshSnapshotTopic();
      const node = await start(topic, folder);
      for (let n = 0; n < 3; n++) await addTo(node, 0, 1, `folded ${n}`);
      await node.log.close();
      const harness = await nodes.harness();
      const partition = partitionOf(streamOf(0), topic.partitions);
      await harness.truncate(topic.name, partition, 1);
      const other = await start(topic);
      for (let n = 0; n < 3; n++) await addTo(other, 0, 11, `instead ${n}`);
      const restarted = await start(topic, folder);
      expect(restarted.view.list({ limit: 10 })).toMatchObject([{ sum: 34 }]);
      expect(answersOf(restarted)).toStrictEqual(answersOf(other));
    });
  });
}

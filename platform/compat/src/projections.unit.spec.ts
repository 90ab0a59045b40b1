/** Every read model: the order in which streams arrive and second copies of commits change nothing. */
import { join, resolve } from 'node:path';
import {
  createMemoryBroker,
  deriveId,
  openMemoryLog,
  type DomainEvent,
  type EventTopic,
} from '@parley/event-log';
import { eventTopics } from '@parley/contracts/topics';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { capsulePaths, streamsOf, type RecordedStream } from './capsule.ts';
import { everyProjection } from './projections.ts';
import { readReleases } from './released.ts';

const contractsDir = resolve(import.meta.dirname, '../../../contracts');
const topics: readonly EventTopic<DomainEvent>[] = eventTopics;
const COPIES_MAX = 30;

type Broker = ReturnType<typeof createMemoryBroker>;
interface Placed {
  readonly partition: number;
  readonly record: ReturnType<Broker['records']>[number];
}

/** A log with every topic and read model declared; the same schemas get the same ids in each. */
const open = (broker: Broker) => {
  const log = openMemoryLog({ broker });
  const aggregates = new Map(
    topics.map((topic) => {
      const definition = { name: topic.name, topic, initial: undefined, evolve: () => undefined };
      return [topic.name, log.aggregate<undefined, DomainEvent>(definition)] as const;
    }),
  );
  return { log, aggregates, views: everyProjection.map((projection) => log.project(projection)) };
};

/** Writes the streams one after the other, a commit for each event, and answers what lies in the log. */
const write = async (streams: readonly RecordedStream[]) => {
  const broker = createMemoryBroker();
  const { log, aggregates, views } = open(broker);
  await log.start();
  for (const { topic, streamId, events } of streams) {
    for (const [index, event] of events.entries()) {
      const outcome = await aggregates.get(topic)?.execute({
        streamId,
        commandId: deriveId('test', streamId, String(index)),
        decide: () => ({ kind: 'events', events: [event] }),
        metadata: { correlationId: 'test' },
      });
      if (outcome?.kind !== 'accepted') throw new Error(`${streamId}: ${outcome?.kind ?? 'no topic'}`);
    }
  }
  const byTopic = new Map(
    topics.map(({ name, partitions }) => [
      name,
      Array.from({ length: partitions }, (_, partition) =>
        broker.records(name, partition).map((record): Placed => ({ partition, record })),
      ).flat(),
    ]),
  );
  const hashes = views.map((view) => view.stateHash());
  const sizes = views.map((view) => view.size);
  await log.close();
  return { byTopic, hashes, sizes };
};

const release = readReleases(contractsDir).at(-1);
if (release === undefined) throw new Error('there is no release');
const streams = await streamsOf(join(release.dir, capsulePaths.log));

describe('every read model', () => {
  it(
    'comes to the same rows whatever order the streams arrive in, with any repetitions',
    { timeout: 60_000 },
    async () => {
      const { byTopic, hashes, sizes } = await write(streams);
      for (const size of sizes) expect(size).toBeGreaterThan(0);
      const everything = [...byTopic].flatMap(([topic, records]) =>
        records.map((placed) => ({ topic, ...placed })),
      );
      const streamOf = ({ record }: Placed): string => record.key?.toString('utf8') ?? '';
      await fc.assert(
        fc.asyncProperty(
          fc.shuffledSubarray(everything.map(streamOf), { minLength: everything.length }),
          fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: COPIES_MAX }),
          async (turns, copies) => {
            const waiting = new Map<string, typeof everything>();
            for (const each of everything) {
              const own = waiting.get(streamOf(each)) ?? [];
              waiting.set(streamOf(each), [...own, each]);
            }
            // Streams in any order; within a stream, as Kafka keeps it, the order of the appends.
            const arrivals = turns.flatMap((stream) => waiting.get(stream)?.shift() ?? []);
            expect(arrivals).toHaveLength(everything.length);
            for (const [which, behind] of copies) {
              const index = which % arrivals.length;
              const copy = arrivals[index];
              if (copy !== undefined)
                arrivals.splice(index + 1 + (behind % (arrivals.length - index)), 0, copy);
            }
            const broker = createMemoryBroker();
            for (const { name, partitions } of topics) broker.ensureTopic(name, partitions);
            for (const { topic, partition, record } of arrivals) broker.appendRaw(topic, partition, record);
            const { log, views } = open(broker);
            await log.start();
            expect(views.map((view) => view.stateHash())).toEqual(hashes);
            const progress = new Map(views.map((view) => [view.progress().topic, view.progress()]));
            const sum = (of: 'accepted' | 'conflicts' | 'duplicates' | 'badRecords'): number =>
              [...progress.values()].reduce((total, each) => total + each[of], 0);
            expect([sum('accepted'), sum('badRecords')]).toEqual([everything.length, 0]);
            expect(sum('conflicts') + sum('duplicates')).toBe(copies.length);
            await log.close();
          },
        ),
        { numRuns: 25 },
      );
    },
  );
});

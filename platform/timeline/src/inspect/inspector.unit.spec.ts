import { createMemoryBroker, deriveId, openMemoryLog, type EventTopic } from '@parley/event-log';
import { counted, counterOf, countedTopic, type Counted } from '@parley/event-log/testing';
import { partitionOf } from '@parley/event-log/tools';
import { expect, it } from 'vitest';
import { TopicInspector, type Inspected } from './inspector.ts';

const topic: EventTopic<Counted> = countedTopic('inspected');
const streamId = 's';
const partition = partitionOf(streamId, topic.partitions);
const idOf = (name: string): string => deriveId('commit', name);

/** A commit by its name: of one event, on the version and the commit before it. */
type Given = readonly [name: string, base: number, previous: string | undefined];

/** What is told of each record of a log in which the commits lie in this order. */
async function inspect(commits: readonly Given[]): Promise<readonly Inspected[]> {
  const broker = createMemoryBroker();
  const log = openMemoryLog({ broker });
  const counters = log.aggregate(counterOf(topic));
  await log.start();
  for (const [name, baseVersion, previous] of commits) {
    const previousCommitId = previous === undefined ? undefined : idOf(previous);
    const commit = { commitId: idOf(name), streamId, baseVersion, previousCommitId, events: [counted(1)] };
    await counters.append({ ...commit, metadata: { correlationId: 'test' } });
  }
  await log.close();
  const told: Inspected[] = [];
  const inspector = new TopicInspector(topic, broker.schemas, (record) => told.push(record));
  await inspector.take(partition, broker.records(topic.name, partition));
  inspector.finish();
  return told;
}

const against = (name: string) => ({ verdict: 'conflict', other: { commitId: idOf(name) } });

it('what is chained to a commit that lost has lost by it', async () => {
  const told = await inspect([
    ['winner', 0, undefined],
    ['loser', 0, undefined],
    ['chained', 1, 'loser'],
  ]);
  expect(told).toMatchObject([{ verdict: 'accepted' }, against('winner'), against('loser')]);
});

it('what is chained to a commit that lost first and was accepted then has lost against another one', async () => {
  const told = await inspect([
    ['winner', 0, undefined],
    ['command', 0, undefined],
    ['command', 1, 'winner'],
    ['next', 2, 'command'],
    ['chained', 2, 'command'],
  ]);
  expect(told.map(({ verdict }) => verdict).slice(0, 4)).toEqual([
    'accepted',
    'conflict',
    'accepted',
    'accepted',
  ]);
  expect(told[4]).toMatchObject(against('next'));
});

it('what is chained to a commit of which there is a second copy has lost against another one', async () => {
  const told = await inspect([
    ['first', 0, undefined],
    ['first', 0, undefined],
    ['next', 1, 'first'],
    ['chained', 1, 'first'],
  ]);
  expect(told.map(({ verdict }) => verdict).slice(0, 3)).toEqual(['accepted', 'duplicate', 'accepted']);
  expect(told[3]).toMatchObject(against('next'));
});

import type { DomainEvent, EventTopic } from '@parley/event-log';
import { CommandError } from '../cli/exit.ts';
import { bar, type Output } from '../render/output.ts';
import { fromBegin, sizeOf, type LogSource } from '../source/log-source.ts';
import { TopicInspector, type Inspected } from './inspector.ts';

/** The ends of a topic, checked against its declaration. @throws CommandError when it is not there or is another. */
export async function endsOf(
  source: LogSource,
  topic: Pick<EventTopic<DomainEvent>, 'name' | 'partitions'>,
): Promise<readonly number[]> {
  const ends = await source.endOffsets(topic.name);
  if (ends.length === 0) throw new CommandError('failed', `${source.name} has no topic ${topic.name}`);
  if (ends.length !== topic.partitions)
    throw new CommandError(
      'failed',
      `${topic.name} has ${String(ends.length)} partitions in ${source.name}, ${String(topic.partitions)} are declared`,
    );
  return ends;
}

export interface ScanOptions {
  readonly output: Pick<Output, 'progress'>;
  readonly signal?: AbortSignal;
  /** Only these partitions; default all. A stream lies in one. */
  readonly partitions?: readonly number[];
  /** Reads no further than here, by partition; default the end as it is now. */
  readonly to?: readonly number[];
}

/** Tells every record of a topic with its verdict, partition by partition in order, up to the end as it is now. */
export async function inspectTopic(
  source: LogSource,
  topic: EventTopic<DomainEvent>,
  onInspected: (record: Inspected) => void,
  options: ScanOptions,
): Promise<readonly number[]> {
  const ends = options.to ?? (await endsOf(source, topic));
  const to = ends.map((end, partition) => (options.partitions?.includes(partition) === false ? 0 : end));
  const inspector = new TopicInspector(topic, source.schemas, onInspected);
  const total = sizeOf(fromBegin(to), to);
  const startedAtMs = performance.now();
  let done = 0;
  await source.read(
    { topic: topic.name, from: fromBegin(to), to },
    async (partition, records) => {
      await inspector.take(partition, records);
      done += records.length;
      options.output.progress(
        bar(topic.name, { done, total, seconds: (performance.now() - startedAtMs) / 1000 }),
      );
    },
    options.signal,
  );
  options.output.progress('');
  inspector.finish();
  return to;
}

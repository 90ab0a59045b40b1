/** Where a replay stops: `--until`. */
import type { DomainEvent, EventTopic } from '@parley/event-log';
import { CommandError } from '../cli/exit.ts';
import { eventIdIn } from '../inspect/describe.ts';
import { endsOf, inspectTopic } from '../inspect/scan.ts';
import { topicNamed, topics as everyTopic } from '../projections.ts';
import type { Output } from '../render/output.ts';
import type { LogSource } from '../source/log-source.ts';

/** What was typed, with one meaning only. */
export type Until =
  | {
      readonly kind: 'position';
      readonly topic: EventTopic<DomainEvent>;
      readonly partition: number;
      readonly offset: number;
    }
  | { readonly kind: 'time'; readonly timeMs: number }
  | { readonly kind: 'event'; readonly eventId: string };

/** Shown by --help. */
export const untilHelp: readonly string[] = [
  'topic/partition@offset   that record is the last of its partition; the others stop where the log was when it was written',
  '2026-01-31T12:00:00Z     every record that was written until then; with a zone, in seconds or finer',
  'an event id (UUID)       the whole commit of that accepted event is the last of its partition, as with an offset',
];

const refuse = (text: string, why: string): never => {
  throw new CommandError(
    'usage',
    `--until ${JSON.stringify(text)}: ${why}. It is one of\n  ${untilHelp.join('\n  ')}`,
  );
};

const POSITION = /^([A-Za-z0-9._-]+)\/(\d{1,6})@(\d{1,15})$/;
const EVENT = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?(?:Z|[+-]\d\d:\d\d)$/;

/** Milliseconds since the epoch of an ISO 8601 time with seconds and zone; undefined for anything else. */
export function parseTime(text: string): number | undefined {
  if (!TIME.test(text)) return undefined;
  const timeMs = Date.parse(text);
  const [day = ''] = text.split('T');
  // Date takes the 30th of February for a day in March; nobody means that.
  const calendar = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(timeMs) || Number.isNaN(calendar.getTime()) || !calendar.toISOString().startsWith(day))
    return undefined;
  return timeMs;
}

/** @throws CommandError (usage) for anything that could mean two things or nothing. */
export function parseUntil(text: string): Until {
  if (EVENT.test(text)) return { kind: 'event', eventId: text.toLowerCase() };
  const position = POSITION.exec(text);
  if (position !== null) {
    const [, name = '', partitionText, offsetText] = position;
    const [partition, offset] = [Number(partitionText), Number(offsetText)];
    const topic = topicNamed(name);
    if (partition >= topic.partitions)
      return refuse(text, `${topic.name} has the partitions 0 to ${String(topic.partitions - 1)}`);
    return { kind: 'position', topic, partition, offset };
  }
  const timeMs = parseTime(text);
  if (timeMs !== undefined) return { kind: 'time', timeMs };
  if (/^\d+$/.test(text)) return refuse(text, 'a number alone could be an offset of any partition or a time');
  if (/^\d{4}-\d\d-\d\d(?:T[\d:.]*)?$/.test(text)) return refuse(text, 'a time needs seconds and a zone');
  return refuse(text, 'that is no position, no time that there is, and no event id');
}

/** By topic name, the offset to stop at for each partition. */
export type Positions = ReadonlyMap<string, readonly number[]>;

/** The positions that `until` (undefined: everything there is now) means for these topics. @throws CommandError */
export async function positionsFor(
  until: Until | undefined,
  source: LogSource,
  topics: readonly EventTopic<DomainEvent>[],
  output: Output,
): Promise<Positions> {
  switch (until?.kind) {
    case undefined:
      return at(topics, (topic) => endsOf(source, topic));
    case 'time':
      return at(topics, async (topic) => {
        await endsOf(source, topic);
        return source.offsetsAfter(topic.name, until.timeMs);
      });
    case 'position':
      return cutAfter(source, topics, until);
    case 'event':
      return cutAfter(source, topics, await positionOf(source, until.eventId, output));
  }
}

const at = async (
  topics: readonly EventTopic<DomainEvent>[],
  positionsOf: (topic: EventTopic<DomainEvent>) => Promise<readonly number[]>,
): Promise<Positions> => {
  const found = new Map<string, readonly number[]>();
  for (const topic of topics) found.set(topic.name, await positionsOf(topic));
  return found;
};

/** The log as it was when the record at a position was written, that record included. */
async function cutAfter(
  source: LogSource,
  topics: readonly EventTopic<DomainEvent>[],
  cut: { readonly topic: EventTopic<DomainEvent>; readonly partition: number; readonly offset: number },
): Promise<Positions> {
  const ends = await endsOf(source, cut.topic);
  const end = ends[cut.partition] ?? 0;
  if (cut.offset >= end)
    throw new CommandError(
      'failed',
      `${cut.topic.name}/${String(cut.partition)} ends at ${String(end)}: there is no record at ${String(cut.offset)}`,
    );
  let writtenAtMs = 0;
  const only = (offset: number): number[] =>
    ends.map((_, partition) => (partition === cut.partition ? offset : 0));
  await source.read(
    { topic: cut.topic.name, from: only(cut.offset), to: only(cut.offset + 1) },
    (_, [record]) => void (writtenAtMs = Number(record?.timestamp ?? 0)),
  );
  return at(topics, async (topic) => {
    const offsets = [...(await source.offsetsAfter(topic.name, writtenAtMs))];
    if (topic.name === cut.topic.name) offsets[cut.partition] = cut.offset + 1;
    return offsets;
  });
}

/** The last record of the accepted commit of an event, wherever it is. */
async function positionOf(
  source: LogSource,
  eventId: string,
  output: Output,
): Promise<{ readonly topic: EventTopic<DomainEvent>; readonly partition: number; readonly offset: number }> {
  let refused: string | undefined;
  for (const topic of everyTopic) {
    if ((await source.endOffsets(topic.name)).length === 0) continue;
    let found: { topic: EventTopic<DomainEvent>; partition: number; offset: number } | undefined;
    await inspectTopic(
      source,
      topic,
      (record) => {
        if (eventIdIn(record) !== eventId || record.header === undefined) return;
        const { partition, offset, header } = record;
        if (record.verdict === 'accepted')
          found = { topic, partition, offset: offset - header.index + header.size - 1 };
        else refused = `${topic.name}/${String(partition)}@${String(offset)}, ${record.verdict}`;
      },
      { output },
    );
    if (found !== undefined) return found;
  }
  throw new CommandError(
    'failed',
    refused === undefined
      ? `no event ${eventId} in ${source.name}`
      : `event ${eventId} was never accepted (${refused}), so no read model has it`,
  );
}

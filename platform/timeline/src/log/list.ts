/** `npm run log -- list <topic>` */
import type { DomainEvent, EventTopic } from '@parley/event-log';
import { headerText } from '@parley/event-log/tools';
import { logHeaders } from '@parley/event-log';
import { describe, timeOf, type RecordInfo } from '../inspect/describe.ts';
import { TopicInspector, type Inspected } from '../inspect/inspector.ts';
import { endsOf } from '../inspect/scan.ts';
import { bar, type Output } from '../render/output.ts';
import { table } from '../render/table.ts';
import { escapeText } from '../render/escape.ts';
import { fromBegin, sizeOf, type LogSource } from '../source/log-source.ts';

/** Which records: all that is given must hold. */
export interface ListFilter {
  readonly type?: string | undefined;
  readonly stream?: string | undefined;
  readonly correlation?: string | undefined;
  /** Milliseconds since the epoch, included. */
  readonly sinceMs?: number | undefined;
  /** Milliseconds since the epoch, included. */
  readonly untilMs?: number | undefined;
}

export interface ListOptions {
  readonly filter: ListFilter;
  /** The newest so many of those that match. */
  readonly limit: number;
  readonly follow: boolean;
}

export const LIST_MAX = 100_000;

export function matches(record: Inspected, filter: ListFilter): boolean {
  const { type, stream, correlation, sinceMs = -Infinity, untilMs = Infinity } = filter;
  if (stream !== undefined && record.streamId !== stream) return false;
  if (type !== undefined && (record.event?.type ?? headerText(record.raw, logHeaders.type)) !== type)
    return false;
  if (correlation !== undefined && headerText(record.raw, logHeaders.correlationId) !== correlation)
    return false;
  const timeMs = timeOf(record.raw);
  return timeMs >= sinceMs && timeMs <= untilMs;
}

const byTime = (a: Inspected, b: Inspected): number =>
  timeOf(a.raw) - timeOf(b.raw) || a.partition - b.partition || a.offset - b.offset;

/** The newest `limit` records that are put in, with the memory of twice as many. */
class Newest {
  readonly #limit: number;
  #records: Inspected[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(record: Inspected): void {
    this.#records.push(record);
    if (this.#records.length >= this.#limit * 2) this.#records = this.inOrder();
  }

  inOrder(): Inspected[] {
    return this.#records.sort(byTime).slice(-this.#limit);
  }
}

const heads = ['TIME', 'POSITION', 'TYPE', 'STREAM', 'VERSION', 'VERDICT', 'CORRELATION'] as const;
const cells = (info: RecordInfo): readonly string[] => [
  info.time,
  info.position.slice(info.position.lastIndexOf('/') + 1),
  info.type ?? '?',
  info.stream ?? '?',
  info.version === undefined ? '?' : String(info.version),
  info.verdict,
  info.correlationId ?? '?',
];

/** Lists what is there, then, when it follows, what comes, until aborted. Positions are `partition@offset`. */
export async function list(
  source: LogSource,
  topic: EventTopic<DomainEvent>,
  options: ListOptions,
  { output, signal }: { readonly output: Output; readonly signal: AbortSignal },
): Promise<void> {
  const ends = await endsOf(source, topic);
  const newest = new Newest(options.limit);
  let onMatch = (record: Inspected): void => {
    newest.add(record);
  };
  const inspector = new TopicInspector(topic, source.schemas, (record) => {
    if (matches(record, options.filter)) onMatch(record);
  });
  const total = sizeOf(fromBegin(ends), ends);
  const startedAtMs = performance.now();
  let done = 0;
  await source.read(
    { topic: topic.name, from: fromBegin(ends), to: ends },
    async (partition, records) => {
      await inspector.take(partition, records);
      done += records.length;
      output.progress(bar(topic.name, { done, total, seconds: (performance.now() - startedAtMs) / 1000 }));
    },
    signal,
  );
  output.progress('');
  if (!options.follow) inspector.finish();
  const infos = newest.inOrder().map(describe);
  if (output.human) output.print(table(heads, infos.map(cells)));
  else for (const info of infos) output.json(info);
  if (!options.follow) return;
  onMatch = (record) => {
    const info = describe(record);
    if (output.human) output.print(cells(info).map(escapeText).join('  '));
    else output.json(info);
  };
  await source.read(
    { topic: topic.name, from: ends, to: ends.map(() => Infinity) },
    (partition, records) => inspector.take(partition, records),
    signal,
  );
}

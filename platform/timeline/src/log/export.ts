/** `npm run log -- export` */
import { access } from 'node:fs/promises';
import { writeLogFile, type LogFileSummary, type LogToWrite } from '@parley/event-log';
import { CommandError } from '../cli/exit.ts';
import { topics as eventTopics, topicNamed } from '../projections.ts';
import { bar, type Output } from '../render/output.ts';
import { fromBegin, sizeOf, type LogSource } from '../source/log-source.ts';

export interface ExportOptions {
  /** Names as they were typed; none: every event topic that there is. */
  readonly topics: readonly string[];
  readonly out: string;
  readonly overwrite: boolean;
  readonly now: () => number;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Writes everything up to the ends as they are now. */
export async function exportLog(
  source: LogSource,
  options: ExportOptions,
  { output, signal }: { readonly output: Output; readonly signal: AbortSignal },
): Promise<LogFileSummary> {
  const { out } = options;
  if (!options.overwrite && (await exists(out)))
    throw new CommandError('failed', `${out} exists already. Name another file or add --overwrite`);
  const there = await source.topics();
  const names =
    options.topics.length === 0
      ? eventTopics.map(({ name }) => name).filter((name) => there.has(name))
      : [...new Set(options.topics.map((name) => (there.has(name) ? name : topicNamed(name).name)))];
  const ends = new Map<string, readonly number[]>();
  for (const name of names) {
    const end = await source.endOffsets(name);
    if (end.length === 0) throw new CommandError('failed', `${source.name} has no topic ${name}`);
    ends.set(name, end);
  }
  if (ends.size === 0) throw new CommandError('failed', `${source.name} has no event topic yet`);

  const total = 2 * [...ends.values()].reduce((sum, to) => sum + sizeOf(fromBegin(to), to), 0);
  const startedAtMs = performance.now();
  let done = 0;
  const each: LogToWrite['each'] = async (onRecords) => {
    for (const [topic, to] of ends)
      await source.read(
        { topic, from: fromBegin(to), to },
        async (partition, records) => {
          await onRecords(topic, partition, records);
          done += records.length;
          output.progress(bar(topic, { done, total, seconds: (performance.now() - startedAtMs) / 1000 }));
        },
        signal,
      );
    signal.throwIfAborted();
  };

  const summary = await writeLogFile({
    path: out,
    createdAt: new Date(options.now()).toISOString(),
    note: `exported from ${source.name}`,
    topics: Object.fromEntries([...ends].map(([name, to]) => [name, { partitions: to.length }])),
    schemas: source.schemas,
    each,
  });
  output.progress('');
  return summary;
}

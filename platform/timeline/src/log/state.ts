/** `npm run log -- state <stream> --at <version>` */
import { timestampOf } from '@parley/contracts/limits';
import type { RecordedEvent } from '@parley/event-log';
import { canonical, partitionOf } from '@parley/event-log/tools';
import { CommandError } from '../cli/exit.ts';
import { projections, topicOfStream, type AnyProjection } from '../projections.ts';
import { diffFields, diffLines, type FieldDiff } from '../render/diff.ts';
import { escapeText } from '../render/escape.ts';
import { bar, type Output } from '../render/output.ts';
import { endsOf } from '../inspect/scan.ts';
import { Rebuild } from '../replay/rebuild.ts';
import type { LogSource } from '../source/log-source.ts';

/** One row that the stream leads to. */
export interface RowState {
  readonly projection: string;
  readonly key: string;
  /** At the version asked for; undefined when the row is no more. */
  readonly row: unknown;
  /** Against the version before. */
  readonly changed: readonly FieldDiff[];
}

export interface StreamState {
  readonly stream: string;
  readonly version: number;
  /** The newest version of the stream. */
  readonly latest: number;
  /** What made this version. */
  readonly event: {
    readonly type: string;
    readonly eventId: string;
    readonly position: string;
    readonly time: string;
    readonly data: object;
  };
  readonly rows: readonly RowState[];
}

const plain = (row: unknown): unknown => (row === undefined ? undefined : JSON.parse(canonical(row)));

/** Rows of one stream in one projection, now and one event ago. */
class StreamRows {
  readonly definition: AnyProjection;
  now: ReadonlyMap<string, unknown> = new Map();
  before: ReadonlyMap<string, unknown> = new Map();

  constructor(definition: AnyProjection) {
    this.definition = definition;
  }

  apply(event: RecordedEvent): void {
    const key = this.definition.key === undefined ? event.streamId : this.definition.key(event);
    this.before = this.now;
    this.now = new Map(this.now).set(key, this.definition.fold(this.now.get(key), event));
  }

  states(): readonly RowState[] {
    return [...this.now].map(([key, row]) => {
      const [now, before] = [plain(row), plain(this.before.get(key))];
      return { projection: this.definition.name, key, row: now, changed: diffFields(before, now) };
    });
  }
}

/** Folds one stream up to a version (default: its newest). @throws CommandError when it has no such version. */
export async function stateAt(
  source: LogSource,
  stream: string,
  at: number | undefined,
  { output, signal }: { readonly output: Output; readonly signal: AbortSignal },
): Promise<StreamState> {
  const topic = topicOfStream(stream);
  const rows = projections
    .filter((definition) => definition.topic.name === topic.name)
    .map((definition) => new StreamRows(definition));
  let latest = 0;
  let last: RecordedEvent | undefined;
  const target = {
    name: 'one stream',
    apply: (event: RecordedEvent): void => {
      if (event.streamId !== stream) return;
      latest = event.version;
      if (at !== undefined && event.version > at) return;
      last = event;
      for (const one of rows) one.apply(event);
    },
    reset: () => undefined,
  };
  const partition = partitionOf(stream, topic.partitions);
  const ends = await endsOf(source, topic);
  const to = ends.map((end, index) => (index === partition ? end : 0));
  const startedAtMs = performance.now();
  await new Rebuild(source, topic, [], { target }).to(to, {
    signal,
    onProgress: (done, total) => {
      output.progress(bar(topic.name, { done, total, seconds: (performance.now() - startedAtMs) / 1000 }));
    },
  });
  output.progress('');
  if (last === undefined) throw new CommandError('failed', `${stream} has no event in ${source.name}`);
  if (at !== undefined && at > latest)
    throw new CommandError('failed', `${stream} has only the versions 1 to ${String(latest)}`);
  const { position, event, eventId, version, recordedAtMs } = last;
  return {
    stream,
    version,
    latest,
    event: {
      type: event.type,
      eventId,
      position: `${position.topic}/${String(position.partition)}@${String(position.offset)}`,
      time: timestampOf(recordedAtMs),
      data: event.data,
    },
    rows: rows.flatMap((one) => one.states()),
  };
}

export function printState(state: StreamState, output: Output): void {
  const { stream, version, latest, event } = state;
  output.print(`${escapeText(stream)} at version ${String(version)} of ${String(latest)}`);
  output.print(`${event.type}, recorded ${event.time} at ${event.position}, event id ${event.eventId}`);
  for (const { projection, key, row, changed } of state.rows) {
    output.print(`\n${projection}: row ${escapeText(key)}`);
    output.print(
      row === undefined
        ? '(no row any more)'
        : JSON.stringify(row, undefined, 2).split('\n').map(escapeText).join('\n'),
    );
    output.print(changed.length === 0 ? 'unchanged by this event' : 'changed by this event:');
    for (const line of diffLines(changed)) output.print(`  ${line}`);
  }
}

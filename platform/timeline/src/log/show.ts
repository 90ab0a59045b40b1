/** `npm run log -- show <event id>` */
import { CommandError } from '../cli/exit.ts';
import { describe, eventIdIn, type RecordInfo } from '../inspect/describe.ts';
import type { Inspected } from '../inspect/inspector.ts';
import { inspectTopic } from '../inspect/scan.ts';
import { topics } from '../projections.ts';
import { escapeText } from '../render/escape.ts';
import type { Output } from '../render/output.ts';
import { fields } from '../render/table.ts';
import type { LogSource } from '../source/log-source.ts';

/** The schema that a record was written with. */
export interface WriterSchema {
  readonly id: number;
  /** The record's full name, which is its subject; undefined when no such schema is known. */
  readonly name: string | undefined;
  /** Its version under that subject; undefined when nobody keeps versions (a file does not). */
  readonly version: number | undefined;
}

export type ShownRecord = RecordInfo & {
  readonly schema: WriterSchema | undefined;
  readonly valueBytes: number | null;
};

async function schemaOf(record: Inspected, source: LogSource): Promise<WriterSchema | undefined> {
  const { value } = record.raw;
  if (value === null || value.length < 5 || value[0] !== 0) return undefined;
  const id = value.readUInt32BE(1);
  const schema = (await source.schemas.fetch(id)) as
    { readonly name?: string; readonly namespace?: string } | undefined; // any JSON may be registered as a schema
  if (schema?.name === undefined) return { id, name: undefined, version: undefined };
  const name = schema.namespace === undefined ? schema.name : `${schema.namespace}.${schema.name}`;
  return { id, name, version: await source.versionOf(id, name) };
}

/** Every copy of an event in the log, each with its verdict. @throws CommandError when there is none. */
export async function show(
  source: LogSource,
  eventId: string,
  { output, signal }: { readonly output: Output; readonly signal: AbortSignal },
): Promise<readonly ShownRecord[]> {
  for (const topic of topics) {
    if ((await source.endOffsets(topic.name)).length === 0) continue;
    const found: Inspected[] = [];
    const onInspected = (record: Inspected): void => {
      if (eventIdIn(record) === eventId) found.push(record);
    };
    await inspectTopic(source, topic, onInspected, { output, signal });
    if (found.length === 0) continue;
    const shown: ShownRecord[] = [];
    for (const record of found)
      shown.push({
        ...describe(record),
        schema: await schemaOf(record, source),
        valueBytes: record.raw.value?.length ?? null,
      });
    return shown;
  }
  throw new CommandError('failed', `no event ${eventId} in ${source.name}`);
}

const schemaText = ({ id, name, version }: WriterSchema): string =>
  `id ${String(id)}: ${name ?? 'unknown'}${version === undefined ? '' : `, version ${String(version)}`}`;

export function printShown(records: readonly ShownRecord[], output: Output): void {
  for (const [index, record] of records.entries()) {
    if (index > 0) output.print('');
    if (records.length > 1) output.print(`copy ${String(index + 1)} of ${String(records.length)}`);
    output.print(
      fields([
        ['event', record.type],
        ['event id', record.eventId],
        ['verdict', record.verdict],
        ['why', record.why],
        ['position', record.position],
        ['time', record.time],
        ['stream', record.stream],
        ['version', record.version === undefined ? undefined : String(record.version)],
        ['commit', record.commitId],
        ['in commit', record.inCommit],
        ['source', record.source],
        ['correlation', record.correlationId],
        ['caused by', record.causationId],
        ['traceparent', record.traceparent],
        ['schema', record.schema === undefined ? undefined : schemaText(record.schema)],
        ['value', record.valueBytes === null ? 'null' : `${String(record.valueBytes)} bytes`],
      ]),
    );
    if (record.data === undefined) continue;
    const lines = JSON.stringify(record.data, undefined, 2).split('\n');
    output.print(lines.map(escapeText).join('\n'));
  }
}

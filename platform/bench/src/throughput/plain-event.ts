/** The records that Parley's services write, as a plain service writes them: same schemas, key, headers and sizes. */
import { randomBytes, randomUUID } from 'node:crypto';
import { eventTopics } from '@parley/contracts/topics';
import avsc, { type Schema, type Type } from 'avsc';
import type { IHeaders, Message } from 'kafkajs';

/** What plain events are made of. */
export type PlainData = Readonly<Record<string, string | number>>;

export interface PlainEvent {
  readonly type: string;
  readonly data: PlainData;
}

/** Magic byte and schema id. */
const PREFIX = Buffer.alloc(5);
/** As large as the log's commit header. */
const COMMIT = randomBytes(44);
const TRACEPARENT = `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;

const types: ReadonlyMap<string, Type> = new Map(
  eventTopics.flatMap(({ schemas }) =>
    Object.entries(schemas).map(([name, schema]): [string, Type] => [
      name,
      avsc.Type.forSchema(schema as Schema, { registry: {} }),
    ]),
  ),
);

const typeOf = (name: string): Type => {
  const type = types.get(name);
  if (type === undefined) throw new Error(`there is no event ${name}`);
  return type;
};

/** `causationId` where the event was caused by another. */
export const plainRecord = (
  streamId: string,
  { type, data }: PlainEvent,
  of: { readonly service: string; readonly correlationId: string; readonly causationId?: string },
): Message => ({
  key: streamId,
  value: Buffer.concat([PREFIX, typeOf(type).toBuffer(data)]),
  headers: {
    ce_specversion: '1.0',
    ce_id: randomUUID(),
    ce_type: type,
    ce_source: `/parley/${of.service}`,
    ce_time: new Date().toISOString(),
    ce_subject: streamId,
    'correlation-id': of.correlationId,
    ...(of.causationId === undefined ? {} : { 'causation-id': of.causationId }),
    traceparent: TRACEPARENT,
    'parley-commit': COMMIT,
  },
});

const textOf = (headers: IHeaders | undefined, name: string): string => String(headers?.[name] ?? '');

/** The event of a record, with what an event that it causes takes over. */
export const readPlain = ({
  headers,
  value,
}: Pick<Message, 'headers' | 'value'>): PlainEvent & {
  readonly id: string;
  readonly correlationId: string;
} => {
  const type = textOf(headers, 'ce_type');
  if (!Buffer.isBuffer(value)) throw new Error(`a ${type} without a value`);
  const data = typeOf(type).fromBuffer(value.subarray(PREFIX.length)) as PlainData;
  return { type, data, id: textOf(headers, 'ce_id'), correlationId: textOf(headers, 'correlation-id') };
};

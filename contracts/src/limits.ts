/**
 * Limits that every protocol can carry. Avro's long holds more than GraphQL's Int and than an ISO 8601 date of four digits a
 * year; a value beyond these limits is refused where it enters, since behind that the log keeps it for ever.
 */
import { eventTopics } from './topics.ts';

/** Highest GraphQL Int and proto3 int32. */
export const INT32_MAX = 2_147_483_647;

/** 9999-12-31T23:59:59.999Z, the last time that ISO 8601 writes without an extension. Milliseconds since the epoch. */
export const TIMESTAMP_MS_MAX = 253_402_300_799_999;

/** ISO 8601 in UTC. A time beyond what can be written is written as the nearest one that can: a list stays readable. */
export const timestampOf = (epochMs: number): string =>
  new Date(Math.min(Math.max(epochMs, 0), TIMESTAMP_MS_MAX)).toISOString();

/** Fields that GraphQL carries as Int, by event type. */
const int32Fields: Readonly<Record<string, readonly string[]>> = { ProductAdded: ['priceMinor'] };

/** As far as it is looked at here: our events are records of plain fields. */
interface RecordSchema {
  readonly fields?: readonly { readonly name: string; readonly type: unknown }[];
}

const timesOf = (schema: RecordSchema): readonly string[] =>
  (schema.fields ?? [])
    .filter(({ type }) => (type as { logicalType?: unknown } | null)?.logicalType === 'timestamp-millis')
    .map(({ name }) => name);

const limited: ReadonlyMap<string, readonly { readonly field: string; readonly max: number }[]> = new Map(
  eventTopics.flatMap(({ schemas }) =>
    Object.entries(schemas).map(([type, schema]) => [
      type,
      [
        ...timesOf(schema as RecordSchema).map((field) => ({ field, max: TIMESTAMP_MS_MAX })), // Avro's JSON
        ...(int32Fields[type] ?? []).map((field) => ({ field, max: INT32_MAX })),
      ],
    ]),
  ),
);

/** The first field of an event that some protocol cannot carry, and the reason; undefined when all can carry all. */
export const beyondLimits = (event: {
  readonly type: string;
  readonly data: object;
}): { readonly field: string; readonly why: string } | undefined => {
  const data = new Map<string, unknown>(Object.entries(event.data));
  for (const { field, max } of limited.get(event.type) ?? []) {
    const value = data.get(field);
    if (typeof value === 'number' && !(value >= 0 && value <= max))
      return { field, why: `must be from 0 to ${String(max)}, not ${String(value)}` };
  }
  return undefined;
};

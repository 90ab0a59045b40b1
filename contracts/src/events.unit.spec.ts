import avsc from 'avsc';
import { describe, expect, it } from 'vitest';
import { eventSchemas } from './generated/events.ts';

interface FieldSchema {
  readonly name: string;
  readonly doc?: string;
  readonly type: string | { readonly type: string; readonly logicalType?: string; readonly doc?: string };
}
interface RecordSchema {
  readonly name: string;
  readonly namespace: string;
  readonly doc?: string;
  readonly fields: readonly FieldSchema[];
}

const schemas = Object.entries(eventSchemas).flatMap(([aggregate, events]) =>
  Object.entries(events).map(([type, schema]) => ({ aggregate, type, schema: schema as RecordSchema })),
);
const fields = schemas.flatMap(({ type, schema }) =>
  schema.fields.map((field) => ({ field: `${type}.${field.name}`, name: field.name, type: field.type })),
);
/** Ids that are not UUIDs: a product's is a slug, a customer's is the subject of a token. */
const otherIds = ['productId', 'customerId'];

describe('event schemas', () => {
  it('are named by the event type, in the namespace of their aggregate', () => {
    for (const { aggregate, type, schema } of schemas) {
      expect(schema.name).toBe(type);
      expect(schema.namespace).toBe(`parley.${aggregate}`);
    }
  });

  it.each(schemas)('$type documents itself, each of its fields and each of its enums', ({ schema }) => {
    expect(schema.doc).toBeTruthy();
    for (const { name, doc, type } of schema.fields) {
      expect(doc, name).toBeTruthy();
      if (typeof type === 'object' && type.type === 'enum') expect(type.doc, name).toBeTruthy();
    }
  });

  it.each(schemas)('$type survives Avro encoding unchanged', ({ schema }) => {
    const type = avsc.Type.forSchema(schema as unknown as avsc.Schema);
    const value: unknown = type.random();
    expect(type.compare(type.fromBuffer(type.toBuffer(value)), value)).toBe(0);
  });

  it.each(schemas)('$type carries money as integer minor units next to an ISO 4217 code', ({ schema }) => {
    const money = schema.fields.filter(({ name }) => name.endsWith('Minor'));
    for (const { name, type } of money) expect(type, name).toBe('long');
    if (money.length > 0)
      expect(schema.fields).toContainEqual(expect.objectContaining({ name: 'currency', type: 'string' }));
    // An amount by any other name would escape the rule above.
    expect(schema.fields.filter(({ name }) => /(amount|price|total)$/i.test(name))).toEqual([]);
  });

  it.each(fields.filter(({ name }) => /(At|Until|By)$/.test(name)))(
    '$field is a point in time in milliseconds',
    ({ type }) => {
      expect(type).toEqual({ type: 'long', logicalType: 'timestamp-millis' });
    },
  );

  it.each(fields.filter(({ name }) => name.endsWith('Id') && !otherIds.includes(name)))(
    '$field is a UUID',
    ({ type }) => {
      expect(type).toEqual({ type: 'string', logicalType: 'uuid' });
    },
  );
});

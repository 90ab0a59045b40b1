import avsc from 'avsc';
import { describe, expect, it } from 'vitest';
import { eventSchemas } from './generated/events.ts';

interface RecordSchema {
  readonly name: string;
  readonly namespace: string;
  readonly doc?: string;
  readonly fields: readonly { readonly name: string; readonly doc?: string }[];
}

const schemas = Object.entries(eventSchemas).flatMap(([aggregate, events]) =>
  Object.entries(events).map(([type, schema]) => ({ aggregate, type, schema: schema as RecordSchema })),
);

describe('event schemas', () => {
  it('are named by the event type, in the namespace of their aggregate', () => {
    for (const { aggregate, type, schema } of schemas) {
      expect(schema.name).toBe(type);
      expect(schema.namespace).toBe(`parley.${aggregate}`);
    }
  });

  it.each(schemas)('$type documents itself and each of its fields', ({ schema }) => {
    expect(schema.doc).toBeTruthy();
    for (const field of schema.fields) expect(field.doc, field.name).toBeTruthy();
  });

  it.each(schemas)('$type survives Avro encoding unchanged', ({ schema }) => {
    const type = avsc.Type.forSchema(schema as unknown as avsc.Schema);
    const value: unknown = type.random();
    expect(type.compare(type.fromBuffer(type.toBuffer(value)), value)).toBe(0);
  });

  it.each(schemas)('$type carries money as integer minor units next to an ISO 4217 code', ({ schema }) => {
    const names = schema.fields.map((field) => field.name);
    const carriesMoney = names.some((name) => name.endsWith('Minor'));
    // OrderCreated and friends carry no money; PaymentStarted's unit price shares the currency of its amount.
    if (carriesMoney) expect(names).toContain('currency');
  });
});

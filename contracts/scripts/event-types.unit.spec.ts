import { describe, expect, it } from 'vitest';
import { eventTypes, type AvroComplex, type AvroType } from './event-types.ts';

const record = (name: string, fields: Readonly<Record<string, AvroType>>): AvroComplex => ({
  type: 'record',
  name,
  doc: `${name} happened.`,
  fields: Object.entries(fields).map(([field, type]) => ({ name: field, type, doc: `The ${field}.` })),
});
const file = (aggregate: string, schema: AvroComplex) => ({
  aggregate,
  file: `${schema.name ?? ''}.avsc`,
  schema,
});
const colour = (...symbols: string[]): AvroComplex => ({
  type: 'enum',
  name: 'Colour',
  doc: 'A hue.',
  symbols,
});

describe('types generated from Avro', () => {
  it.each<[AvroType, string]>([
    ['string', 'string'],
    [{ type: 'string', logicalType: 'uuid' }, 'string'],
    ['int', 'number'],
    ['long', 'number'],
    ['double', 'number'],
    ['boolean', 'boolean'],
    ['bytes', 'Uint8Array'],
    [{ type: 'long', logicalType: 'timestamp-millis' }, 'EpochMs'],
    [['null', 'string'], 'null | string'],
    [{ type: 'array', items: ['null', 'int'] }, 'readonly (null | number)[]'],
    [colour('RED', 'BLUE'), 'Colour'],
  ])('write %j as %s', (type, expected) => {
    const text = eventTypes([file('thing', record('Happened', { field: type }))]);
    expect(text).toContain(`  /** The field. */\n  readonly field: ${expected};\n`);
  });

  it('declare an enum once as a union of its symbols, with its doc', () => {
    const used = record('Happened', { one: colour('RED', 'BLUE'), other: colour('RED', 'BLUE') });
    const text = eventTypes([file('thing', used)]);
    expect(text.split("/** A hue. */\nexport type Colour = 'RED' | 'BLUE';\n")).toHaveLength(2);
  });

  it('refuse two enums of one name', () => {
    const used = record('Happened', { one: colour('RED'), other: colour('BLUE') });
    expect(() => eventTypes([file('thing', used)])).toThrow(
      'Happened.avsc:other: there is another enum Colour',
    );
  });

  it('have one tagged union per aggregate, over all of its events', () => {
    const text = eventTypes([
      file('thing', record('Opened', { at: 'long' })),
      file('thing', record('Closed', { at: 'long' })),
      file('other', record('Seen', { at: 'long' })),
    ]);
    expect(text).toContain(
      "export type ThingEvent =\n  | { readonly type: 'Closed'; readonly data: Closed }\n  | { readonly type: 'Opened'; readonly data: Opened };\n",
    );
    expect(text).toContain("export type OtherEvent =\n  | { readonly type: 'Seen'; readonly data: Seen };\n");
  });

  it('are the same whatever the order of the files', () => {
    const files = ['Opened', 'Closed', 'Moved'].map((name) => file('thing', record(name, { at: 'long' })));
    expect(eventTypes(files.toReversed())).toBe(eventTypes(files));
  });

  it('carry the schemas as they are registered', () => {
    const schema = record('Opened', { at: { type: 'long', logicalType: 'timestamp-millis' } });
    expect(eventTypes([file('thing', schema)])).toContain(`    Opened: ${JSON.stringify(schema)},\n`);
  });

  it('name file and field of a type that has no counterpart', () => {
    const files = [file('thing', record('Opened', { at: { type: 'fixed', name: 'Digest' } }))];
    expect(() => eventTypes(files)).toThrow('Opened.avsc:at: no TypeScript type for Avro type "fixed"');
  });

  it('refuse a record that is not named as its file', () => {
    const schema = record('Opened', { at: 'long' });
    expect(() => eventTypes([{ aggregate: 'thing', file: 'Closed.avsc', schema }])).toThrow('Closed.avsc');
  });

  it('keep a doc that contains the end of a comment inside its comment', () => {
    const schema: AvroComplex = { type: 'record', name: 'Opened', doc: 'a */ b', fields: [] };
    expect(eventTypes([file('thing', schema)])).toContain('/** a *\\/ b */');
  });
});

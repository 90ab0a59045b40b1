/** Avro schemas as TypeScript. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type AvroType = string | readonly AvroType[] | AvroComplex;
export interface AvroComplex {
  readonly type: AvroType;
  readonly name?: string;
  readonly logicalType?: string;
  readonly symbols?: readonly string[];
  readonly items?: AvroType;
  readonly doc?: string;
  readonly fields?: readonly AvroField[];
}
export interface AvroField {
  readonly name: string;
  readonly type: AvroType;
  readonly doc?: string;
}

/** One file of avro/<aggregate>/. */
export interface EventSchemaFile {
  readonly aggregate: string;
  /** With its extension. */
  readonly file: string;
  readonly schema: AvroComplex;
}

/** What the declarations of one run share: enums by name, each declared once. */
class Declarations {
  readonly #enums = new Map<string, string>();

  get enums(): readonly string[] {
    return [...this.#enums.values()];
  }

  typeOf(type: AvroType, where: string): string {
    if (typeof type === 'string') return primitive(type, where);
    if (isUnion(type)) return type.map((member) => this.typeOf(member, where)).join(' | ');
    if (type.logicalType === 'timestamp-millis') return 'EpochMs';
    if (type.type === 'array' && type.items !== undefined) {
      return `readonly (${this.typeOf(type.items, where)})[]`;
    }
    if (type.type === 'enum' && type.name !== undefined && type.symbols !== undefined) {
      return this.#enum({ name: type.name, symbols: type.symbols, doc: type.doc ?? type.name }, where);
    }
    return this.typeOf(type.type, where);
  }

  #enum(
    {
      name,
      symbols,
      doc,
    }: { readonly name: string; readonly symbols: readonly string[]; readonly doc: string },
    where: string,
  ): string {
    const union = symbols.map((symbol) => `'${symbol}'`).join(' | ');
    const text = `/** ${doc} */\nexport type ${name} = ${union};\n`;
    const known = this.#enums.get(name);
    if (known !== undefined && known !== text) throw new Error(`${where}: there is another enum ${name}`);
    this.#enums.set(name, text);
    return name;
  }
}

const isUnion = (type: AvroType): type is readonly AvroType[] => Array.isArray(type);

function primitive(name: string, where: string): string {
  switch (name) {
    case 'string':
      return 'string';
    case 'int':
    case 'long':
    case 'double':
    case 'float':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'null':
      return 'null';
    case 'bytes':
      return 'Uint8Array';
    default:
      throw new Error(`${where}: no TypeScript type for Avro type "${name}"`);
  }
}

const pascal = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);
const comment = (doc: string): string => doc.replaceAll('*/', '*\\/');

/**
 * The text of src/generated/events.ts: one interface per record, one union per enum, one tagged union of events per
 * aggregate, and the schemas themselves. The same files in any order give the same text.
 * @throws Error naming file and field for a type that has no counterpart, or a record that is not named as its file.
 */
export function eventTypes(files: readonly EventSchemaFile[]): string {
  const declarations = new Declarations();
  const sections: string[] = [];
  const schemas: string[] = [];
  const aggregates = [...new Set(files.map(({ aggregate }) => aggregate))].sort();
  for (const aggregate of aggregates) {
    const names: string[] = [];
    const entries: string[] = [];
    const own = files.filter((file) => file.aggregate === aggregate);
    for (const { file, schema } of own.sort((a, b) => (a.file < b.file ? -1 : 1))) {
      if (schema.name === undefined || `${schema.name}.avsc` !== file)
        throw new Error(`${file}: the record must be named as the file`);
      const fields = (schema.fields ?? []).map((field) => {
        const doc = field.doc === undefined ? '' : `  /** ${comment(field.doc)} */\n`;
        const type = declarations.typeOf(field.type, `${file}:${field.name}`);
        return `${doc}  readonly ${field.name}: ${type};\n`;
      });
      const doc = comment(schema.doc ?? schema.name);
      sections.push(`/** ${doc} */\nexport interface ${schema.name} {\n${fields.join('')}}\n`);
      names.push(schema.name);
      entries.push(`    ${schema.name}: ${JSON.stringify(schema)},\n`);
    }
    const union = names.map((name) => `\n  | { readonly type: '${name}'; readonly data: ${name} }`).join('');
    sections.push(
      `/** Every event of the ${aggregate} stream. */\nexport type ${pascal(aggregate)}Event =${union};\n`,
    );
    schemas.push(`  ${aggregate}: {\n${entries.join('')}  },\n`);
  }
  return [
    '// Generated from avro/ by scripts/generate-events.ts. Do not edit.\n',
    '/** Milliseconds since the epoch (Avro timestamp-millis). */\nexport type EpochMs = number;\n',
    ...declarations.enums,
    ...sections,
    `/** The Avro schemas as they are registered, by aggregate and event type. */\nexport const eventSchemas = {\n${schemas.join('')}} as const;\n`,
  ].join('\n');
}

/** The schemas of `avro/<aggregate>/<Event>.avsc`. @throws Error for a file that is not JSON. */
export const readEventSchemas = (avroDir: string): readonly EventSchemaFile[] =>
  readdirSync(avroDir).flatMap((aggregate) =>
    readdirSync(join(avroDir, aggregate)).map((file): EventSchemaFile => {
      const schema = JSON.parse(readFileSync(join(avroDir, aggregate, file), 'utf8')) as AvroComplex;
      return { aggregate, file, schema };
    }),
  );

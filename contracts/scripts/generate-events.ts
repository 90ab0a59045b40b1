/**
 * Writes src/generated/events.ts from the Avro schemas in avro/<aggregate>/<Event>.avsc: one interface per record,
 * one union per enum, one tagged union of events per aggregate, and the schemas themselves, so that no event shape
 * is written twice. With `--check` it writes nothing and exits 1 when the file on disk differs.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

type AvroType = string | AvroType[] | AvroComplex;
interface AvroComplex {
  readonly type: string;
  readonly name?: string;
  readonly logicalType?: string;
  readonly symbols?: readonly string[];
  readonly items?: AvroType;
  readonly doc?: string;
  readonly fields?: readonly AvroField[];
}
interface AvroField {
  readonly name: string;
  readonly type: AvroType;
  readonly doc?: string;
}

const root = join(import.meta.dirname, '..');
const target = join(root, 'src/generated/events.ts');
const pascal = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

/** Named enums met so far, by name: declaration text. */
const enums = new Map<string, string>();

function typeOf(type: AvroType, where: string): string {
  if (Array.isArray(type)) return type.map((member) => typeOf(member, where)).join(' | ');
  if (typeof type === 'string') return primitive(type, where);
  if (type.logicalType === 'timestamp-millis') return 'EpochMs';
  if (type.type === 'array' && type.items !== undefined) return `readonly (${typeOf(type.items, where)})[]`;
  if (type.type === 'enum' && type.name !== undefined && type.symbols !== undefined) {
    const union = type.symbols.map((symbol) => `'${symbol}'`).join(' | ');
    enums.set(type.name, `/** ${type.doc ?? type.name} */\nexport type ${type.name} = ${union};\n`);
    return type.name;
  }
  return primitive(type.type, where);
}

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

function generate(): string {
  const sections: string[] = [];
  const schemas: string[] = [];
  for (const aggregate of readdirSync(join(root, 'avro')).sort()) {
    const names: string[] = [];
    const entries: string[] = [];
    for (const file of readdirSync(join(root, 'avro', aggregate)).sort()) {
      const schema = JSON.parse(readFileSync(join(root, 'avro', aggregate, file), 'utf8')) as AvroComplex;
      if (schema.name === undefined || `${schema.name}.avsc` !== file)
        throw new Error(`${file}: the record must be named as the file`);
      const fields = (schema.fields ?? []).map((field) => {
        const doc = field.doc === undefined ? '' : `  /** ${field.doc} */\n`;
        return `${doc}  readonly ${field.name}: ${typeOf(field.type, `${file}:${field.name}`)};\n`;
      });
      sections.push(
        `/** ${schema.doc ?? schema.name} */\nexport interface ${schema.name} {\n${fields.join('')}}\n`,
      );
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
    ...enums.values(),
    ...sections,
    `/** The Avro schemas as they are registered, by aggregate and event type. */\nexport const eventSchemas = {\n${schemas.join('')}} as const;\n`,
  ].join('\n');
}

const text = generate();
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== text) {
    process.stderr.write('contracts/src/generated/events.ts differs from avro/: run npm run generate\n');
    process.exitCode = 1;
  }
} else {
  writeFileSync(target, text);
}

/**
 * Avro, FULL_TRANSITIVE: today's schema reads what every release wrote, and every released schema reads what is
 * written today. avsc's resolvers decide; the walk over both schemas only finds out which field it is.
 */
import avsc, { type Schema } from 'avsc';
import type { Contracts } from '../contract-files.ts';
import { isObject, type JsonSchemaObject } from '../json-schema/accepts.ts';
import { CURRENT, type CheckResult, type Finding } from '../report.ts';

const typeOf = (schema: unknown): avsc.Type => avsc.Type.forSchema(structuredClone(schema) as Schema); // data until avsc has read it

/** Why `reader` cannot read what `writer` wrote, in avsc's words; undefined when it can. */
function refusal(writer: unknown, reader: unknown): string | undefined {
  try {
    typeOf(reader).createResolver(typeOf(writer));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

interface Field {
  readonly name: string;
  readonly type: unknown;
  readonly hasDefault: boolean;
}

const fieldsOf = (schema: unknown): readonly Field[] => {
  const fields: unknown = isObject(schema) && schema.type === 'record' ? schema.fields : [];
  return (Array.isArray(fields) ? fields : [])
    .filter(isObject)
    .map((field) => ({ name: String(field.name), type: field.type, hasDefault: 'default' in field }));
};

const symbolsOf = (schema: unknown): readonly unknown[] | undefined =>
  isObject(schema) && schema.type === 'enum' && Array.isArray(schema.symbols) ? schema.symbols : undefined;

const show = (type: unknown): string => {
  if (!isObject(type)) return JSON.stringify(type);
  const { name, logicalType } = type;
  return [type.type, name, logicalType].filter((part) => typeof part === 'string').join(' ');
};

/** Each place where the reader refuses the writer: path and reason. */
function refusalsAt(writer: unknown, reader: unknown, path: string): readonly string[] {
  const reason = refusal(writer, reader);
  if (reason === undefined) return [];
  const written = fieldsOf(writer);
  const found = fieldsOf(reader).flatMap((field): readonly string[] => {
    const at = `${path}.${field.name}`;
    const source = written.find(({ name }) => name === field.name);
    if (source !== undefined) return refusalsAt(source.type, field.type, at);
    return field.hasDefault ? [] : [`${at} has no default, and the writer does not send it`];
  });
  if (found.length > 0) return found;
  const [sent, read] = [symbolsOf(writer), symbolsOf(reader)];
  if (sent !== undefined && read !== undefined) {
    const unknown = sent.filter((symbol) => !read.includes(symbol));
    return [`${path} may be ${unknown.join(', ')}, which the reader's enum does not have (nor a default)`];
  }
  if (isObject(writer) && isObject(reader) && writer.type === 'array' && reader.type === 'array')
    return refusalsAt(writer.items, reader.items, `${path}[]`);
  return [`${path} is written as ${show(writer)} and read as ${show(reader)}: ${reason}`];
}

/** Fields whose bytes stay readable while they mean something else: another logical type. */
function meaningsAt(before: unknown, after: unknown, path: string): readonly string[] {
  const logicalOf = (type: unknown): unknown => (isObject(type) ? type.logicalType : undefined);
  const [was, is] = [logicalOf(before), logicalOf(after)];
  const own = was === is ? [] : [`${path} had logical type ${String(was)} and has ${String(is)}`];
  const later = fieldsOf(after);
  return [
    ...own,
    ...fieldsOf(before).flatMap(({ name, type }) => {
      const same = later.find((field) => field.name === name);
      return same === undefined ? [] : meaningsAt(type, same.type, `${path}.${name}`);
    }),
  ];
}

const remedy =
  'Keep the field as it was; add a field with a default instead, and an upcaster where the default is not the truth.';

function compare(
  name: string,
  released: JsonSchemaObject,
  today: JsonSchemaObject,
  version: string,
): Finding[] {
  const finding = (rule: string, broke: string): Finding => ({
    contract: `avro ${name}`,
    rule,
    versions: { released: version, current: CURRENT },
    broke,
    remedy,
  });
  return [
    ...refusalsAt(released, today, name).map((at) =>
      finding('avro/backward', `today's reader cannot read what ${version} wrote: ${at}`),
    ),
    ...refusalsAt(today, released, name).map((at) =>
      finding('avro/forward', `a reader of ${version} cannot read what is written today: ${at}`),
    ),
    ...meaningsAt(released, today, name).map((at) => finding('avro/logical-type', at)),
  ];
}

/** Every event of every release against today's, both ways. */
export function checkAvro(current: Contracts, releases: readonly Contracts[]): CheckResult {
  let compared = 0;
  const findings = releases.flatMap((release) =>
    [...release.events].flatMap(([name, released]): Finding[] => {
      compared++;
      const today = current.events.get(name);
      if (today !== undefined) return compare(name, released, today, release.version);
      return [
        {
          contract: `avro ${name}`,
          rule: 'avro/removed',
          versions: { released: release.version, current: CURRENT },
          broke: `${name} was released in ${release.version} and is gone: the log may hold it for ever`,
          remedy: 'Restore its schema. A fact that is no longer made must stay readable.',
        },
      ];
    }),
  );
  return { check: 'avro', compared, findings };
}

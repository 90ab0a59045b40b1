/** Walking two Avro schemas side by side, by field, branch, item and value, references by name included. */
import { isObject, type JsonSchemaObject } from '../json-schema/accepts.ts';

/** A schema with full names everywhere, and its named types. */
export interface AvroSchema {
  readonly root: unknown;
  readonly named: ReadonlyMap<string, JsonSchemaObject>;
}

const primitives = new Set(['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string']);
const namedKinds = new Set<unknown>(['record', 'error', 'enum', 'fixed']);

const fullName = (name: string, namespace: string): string =>
  name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;

const fieldObjects = (schema: JsonSchemaObject): readonly JsonSchemaObject[] =>
  (Array.isArray(schema.fields) ? schema.fields : []).filter(isObject);

/** Reads a schema as its file has it. What is no Avro is left as it is: avsc refuses it by name. */
export function avroSchema(schema: unknown): AvroSchema {
  const named = new Map<string, JsonSchemaObject>();
  const read = (part: unknown, namespace: string): unknown => {
    if (Array.isArray(part)) return part.map((branch) => read(branch, namespace));
    if (typeof part === 'string') return primitives.has(part) ? part : fullName(part, namespace);
    if (!isObject(part)) return part;
    const { type } = part;
    if (typeof type !== 'string') return read(type, namespace);
    if (type === 'array') return { ...part, items: read(part.items, namespace) };
    if (type === 'map') return { ...part, values: read(part.values, namespace) };
    if (!namedKinds.has(type)) return primitives.has(type) ? part : fullName(type, namespace);
    const own = typeof part.namespace === 'string' ? part.namespace : namespace;
    const name = fullName(String(part.name), own);
    const inside = name.slice(0, Math.max(0, name.lastIndexOf('.')));
    const fields = fieldObjects(part).map((field) => ({ ...field, type: read(field.type, inside) }));
    const definition = { ...part, name, ...('fields' in part ? { fields } : {}) };
    named.set(name, definition);
    return definition;
  };
  return { root: read(schema, ''), named };
}

/** The definition where `part` is only its name. */
export const resolved = (part: unknown, { named }: AvroSchema): unknown =>
  typeof part === 'string' ? (named.get(part) ?? part) : part;

/** A part of a schema as a schema of its own: each named type defined where it comes first, and once. */
export function standalone(part: unknown, { named }: AvroSchema): unknown {
  const defined = new Set<unknown>();
  const copy = (at: unknown): unknown => {
    if (Array.isArray(at)) return at.map(copy);
    const definition = typeof at === 'string' ? named.get(at) : at;
    if (!isObject(definition)) return at;
    const { type, name } = definition;
    if (type === 'array') return { ...definition, items: copy(definition.items) };
    if (type === 'map') return { ...definition, values: copy(definition.values) };
    if (!namedKinds.has(type)) return definition;
    if (defined.has(name)) return name;
    defined.add(name);
    if (!('fields' in definition)) return definition;
    return {
      ...definition,
      fields: fieldObjects(definition).map((field) => ({ ...field, type: copy(field.type) })),
    };
  };
  return copy(part);
}

/** One field of a record. */
export interface Field {
  readonly name: string;
  readonly type: unknown;
  readonly hasDefault: boolean;
  /** Undefined when there is none; JSON has no undefined. */
  readonly default: unknown;
}

/** The fields of a record; none of anything else. */
export const fieldsOf = (schema: unknown): readonly Field[] =>
  isObject(schema) && schema.type === 'record'
    ? fieldObjects(schema).map((field) => ({
        name: String(field.name),
        type: field.type,
        hasDefault: 'default' in field,
        default: field.default,
      }))
    : [];

/** The branches of a union; anything else is its own only branch. */
export const branchesOf = (schema: unknown): readonly unknown[] =>
  Array.isArray(schema) ? schema : [schema];

/** What tells the branches of a union apart: a full name, or the type of what has none. */
export const branchKey = (branch: unknown): unknown =>
  isObject(branch) ? (namedKinds.has(branch.type) ? branch.name : branch.type) : branch;

/** The same place in two schemas. */
export interface Pair {
  readonly before: unknown;
  readonly after: unknown;
  /** `parley.order.OrderCreated.lines[].price`; the branch of a union is at the union's own path. */
  readonly path: string;
}

/** The places one step below that both schemas have. */
export function pairsBelow({ before, after, path }: Pair): readonly Pair[] {
  if (Array.isArray(before) || Array.isArray(after)) {
    const later = branchesOf(after);
    return branchesOf(before).flatMap((branch) => {
      const same = later.find((candidate) => branchKey(candidate) === branchKey(branch));
      return same === undefined ? [] : [{ before: branch, after: same, path }];
    });
  }
  if (!isObject(before) || !isObject(after) || before.type !== after.type) return [];
  if (before.type === 'array') return [{ before: before.items, after: after.items, path: `${path}[]` }];
  if (before.type === 'map') return [{ before: before.values, after: after.values, path: `${path}{}` }];
  const later = fieldsOf(after);
  return fieldsOf(before).flatMap(({ name, type }) => {
    const same = later.find((field) => field.name === name);
    return same === undefined ? [] : [{ before: type, after: same.type, path: `${path}.${name}` }];
  });
}

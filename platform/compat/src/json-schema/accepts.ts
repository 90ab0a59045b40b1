/**
 * Compares two JSON Schemas as sets of documents: does the reader accept everything that the writer may send?
 * Covers the keywords that our contracts use; two schemas that differ in any other keyword are reported as not
 * comparable, never passed over.
 */

export type JsonSchema = boolean | JsonSchemaObject;
export type JsonSchemaObject = Readonly<Record<string, unknown>>;

/** One way in which the reader refuses what the writer may send. */
export interface Refusal {
  /** `.items[].quantity`; empty for the document itself. */
  readonly path: string;
  readonly rule: string;
  /** As they stand in the schemas, for a message. */
  readonly writer: string;
  readonly reader: string;
}

/** A schema with the document that its `$ref`s point into. */
export interface Rooted {
  readonly schema: JsonSchema;
  readonly root: JsonSchemaObject;
}

const DEPTH_MAX = 40;
/** Say nothing about which documents are valid. */
const ANNOTATIONS = new Set([
  '$schema', '$id', '$comment', '$defs', 'definitions', 'title', 'description', 'default', 'examples',
  'example', 'deprecated', 'readOnly', 'writeOnly', 'x-extensible-enum',
]); // prettier-ignore
const COMPARED = new Set([
  '$ref', 'type', 'enum', 'const', 'properties', 'required', 'additionalProperties', 'items', 'anyOf', 'oneOf',
  'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'minLength', 'maxLength', 'minItems', 'maxItems',
  'pattern', 'format',
]); // prettier-ignore

export const isObject = (value: unknown): value is JsonSchemaObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const show = (value: unknown): string => (value === undefined ? 'none' : JSON.stringify(value));

/** The schema behind `$ref`s, each looked up in its own document. @throws Error for a reference to nothing. */
export function resolve({ schema, root }: Rooted): Rooted {
  let target: JsonSchema = schema;
  for (let hops = 0; isObject(target) && typeof target.$ref === 'string'; hops++) {
    if (hops > DEPTH_MAX || !target.$ref.startsWith('#')) throw new Error(`cannot follow ${target.$ref}`);
    let at: unknown = root;
    for (const step of target.$ref.slice(2).split('/').filter(Boolean)) {
      at = isObject(at) ? at[step.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined;
    }
    if (!isObject(at) && typeof at !== 'boolean') throw new Error(`${target.$ref} points to nothing`);
    target = at;
  }
  return { schema: target, root };
}

const typesOf = (schema: JsonSchemaObject): readonly string[] | undefined => {
  const { type } = schema;
  if (typeof type === 'string') return [type];
  return Array.isArray(type) ? type.map(String) : undefined;
};

/** The values that a schema enumerates, as JSON text; undefined when it does not. */
const valuesOf = (schema: JsonSchemaObject): readonly string[] | undefined => {
  if ('const' in schema) return [JSON.stringify(schema.const)];
  return Array.isArray(schema.enum) ? schema.enum.map((value) => JSON.stringify(value)) : undefined;
};

const alternativesOf = (schema: JsonSchemaObject): readonly JsonSchema[] | undefined => {
  const alternatives = schema.anyOf ?? schema.oneOf;
  return Array.isArray(alternatives) ? (alternatives as JsonSchema[]) : undefined; // a schema document holds schemas
};

const numberOf = (schema: JsonSchemaObject, keyword: string): number | undefined => {
  const value = schema[keyword];
  return typeof value === 'number' ? value : undefined;
};

/** Every refusal, empty when the reader accepts all that the writer may send. */
export function refusals(writer: Rooted, reader: Rooted, path = '', depth = 0): readonly Refusal[] {
  const sent = resolve(writer);
  const read = resolve(reader);
  if (depth > DEPTH_MAX) return []; // a recursive schema, compared as deep as documents go
  if (read.schema === true || sent.schema === false) return [];
  const refusal = (rule: string, keywordOf: (schema: JsonSchema) => unknown): Refusal => ({
    path,
    rule,
    writer: show(keywordOf(sent.schema)),
    reader: show(keywordOf(read.schema)),
  });
  if (sent.schema === true || read.schema === false) return [refusal('type', (schema) => schema)];
  const from = sent.schema;
  const to = read.schema;

  const sentAlternatives = alternativesOf(from);
  if (sentAlternatives !== undefined) {
    return sentAlternatives.flatMap((schema) => refusals({ schema, root: sent.root }, read, path, depth + 1));
  }
  const readAlternatives = alternativesOf(to);
  if (readAlternatives !== undefined) {
    const tries = readAlternatives.map((schema) =>
      refusals(sent, { schema, root: read.root }, path, depth + 1),
    );
    if (tries.some((found) => found.length === 0)) return [];
    return [refusal('alternatives', (schema) => schema)];
  }
  return [
    ...typeRefusals(from, to, refusal),
    ...boundRefusals(from, to, refusal),
    ...textRefusals(from, to, refusal),
    ...otherKeywords(from, to, refusal),
    ...objectRefusals({ ...sent, schema: from }, { ...read, schema: to }, path, depth),
    ...itemRefusals({ ...sent, schema: from }, { ...read, schema: to }, path, depth),
  ];
}

type Refuse = (rule: string, keywordOf: (schema: JsonSchema) => unknown) => Refusal;
const keyword =
  (name: string) =>
  (schema: JsonSchema): unknown =>
    isObject(schema) ? schema[name] : schema;

function typeRefusals(from: JsonSchemaObject, to: JsonSchemaObject, refuse: Refuse): Refusal[] {
  const found: Refusal[] = [];
  const accepted = typesOf(to);
  const sent = typesOf(from);
  if (accepted !== undefined) {
    const fits = (type: string): boolean =>
      accepted.includes(type) || (type === 'integer' && accepted.includes('number'));
    if (sent === undefined ? valuesOf(from) === undefined : !sent.every(fits))
      found.push(refuse('type', keyword('type')));
  }
  const acceptedValues = valuesOf(to);
  if (acceptedValues !== undefined) {
    const values = valuesOf(from);
    if (values?.every((value) => acceptedValues.includes(value)) !== true)
      found.push(refuse('enum', (schema) => (isObject(schema) ? (schema.enum ?? schema.const) : schema)));
  }
  return found;
}

function boundRefusals(from: JsonSchemaObject, to: JsonSchemaObject, refuse: Refuse): Refusal[] {
  const found: Refusal[] = [];
  for (const name of ['minimum', 'exclusiveMinimum', 'minLength', 'minItems']) {
    const least = numberOf(to, name);
    const sent = Math.max(numberOf(from, name) ?? -Infinity, stricterMinimum(from, name));
    if (least !== undefined && sent < least && !(least <= 0 && /Length|Items/.test(name)))
      found.push(refuse(name, keyword(name)));
  }
  for (const name of ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems']) {
    const most = numberOf(to, name);
    if (most !== undefined && (numberOf(from, name) ?? Infinity) > most)
      found.push(refuse(name, keyword(name)));
  }
  return found;
}

/** An exclusive minimum keeps every document out that the inclusive one keeps out. */
const stricterMinimum = (schema: JsonSchemaObject, name: string): number =>
  name === 'minimum' ? (numberOf(schema, 'exclusiveMinimum') ?? -Infinity) : -Infinity;

function textRefusals(from: JsonSchemaObject, to: JsonSchemaObject, refuse: Refuse): Refusal[] {
  // Whether one expression contains another cannot be told in general: another expression is another promise.
  return ['pattern', 'format']
    .filter((name) => to[name] !== undefined && to[name] !== from[name] && valuesOf(from) === undefined)
    .map((name) => refuse(name, keyword(name)));
}

function otherKeywords(from: JsonSchemaObject, to: JsonSchemaObject, refuse: Refuse): Refusal[] {
  const names = new Set([...Object.keys(from), ...Object.keys(to)]);
  return [...names]
    .filter((name) => !ANNOTATIONS.has(name) && !COMPARED.has(name))
    .filter((name) => JSON.stringify(from[name]) !== JSON.stringify(to[name]))
    .map((name) => refuse(`not-comparable(${name})`, keyword(name)));
}

export const propertiesOf = (schema: JsonSchemaObject): Readonly<Record<string, JsonSchema>> =>
  isObject(schema.properties) ? (schema.properties as Record<string, JsonSchema>) : {}; // a schema document holds schemas
export const requiredOf = (schema: JsonSchemaObject): readonly string[] =>
  Array.isArray(schema.required) ? schema.required.map(String) : [];

interface RootedObject extends Rooted {
  readonly schema: JsonSchemaObject;
}

function objectRefusals(from: RootedObject, to: RootedObject, path: string, depth: number): Refusal[] {
  const found: Refusal[] = [];
  const sent = propertiesOf(from.schema);
  const read = propertiesOf(to.schema);
  const sentAlways = requiredOf(from.schema);
  const state = (always: boolean, declared: boolean): string =>
    always ? 'required' : declared ? 'optional' : 'none';
  for (const name of requiredOf(to.schema)) {
    if (sentAlways.includes(name)) continue;
    found.push({
      path: `${path}.${name}`,
      rule: 'required',
      writer: state(false, name in sent),
      reader: 'required',
    });
  }
  const rest = to.schema.additionalProperties;
  for (const [name, schema] of Object.entries(sent)) {
    const at = `${path}.${name}`;
    const target = read[name] ?? (isObject(rest) || typeof rest === 'boolean' ? rest : true);
    if (target === false) {
      const writer = state(sentAlways.includes(name), true);
      found.push({ path: at, rule: 'unknown-property', writer, reader: 'none' });
    } else {
      found.push(...refusals({ schema, root: from.root }, { schema: target, root: to.root }, at, depth + 1));
    }
  }
  const open = from.schema.additionalProperties;
  if (rest === false && 'properties' in from.schema && open !== false) {
    found.push({ path, rule: 'additionalProperties', writer: show(open), reader: 'false' });
  } else if (isObject(rest) && isObject(open)) {
    found.push(
      ...refusals({ schema: open, root: from.root }, { schema: rest, root: to.root }, `${path}.*`, depth + 1),
    );
  }
  return found;
}

function itemRefusals(from: RootedObject, to: RootedObject, path: string, depth: number): readonly Refusal[] {
  const read = to.schema.items;
  if (!isObject(read) && typeof read !== 'boolean') return [];
  const sent = from.schema.items;
  const schema = isObject(sent) || typeof sent === 'boolean' ? sent : true;
  if (!(typesOf(from.schema)?.includes('array') ?? true)) return [];
  return refusals({ schema, root: from.root }, { schema: read, root: to.root }, `${path}[]`, depth + 1);
}

/** Schemas that are spread over several subjects, as the registry's references have them, put together again. */

/** As the registry answers: a named type of the schema is defined under another subject. */
export interface SchemaReference {
  /** The full name that the schema uses. */
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

/** A schema as the registry keeps it. */
export interface StoredSchema {
  readonly schema: string;
  /** Left out for Avro. */
  readonly schemaType?: string;
  readonly references?: readonly SchemaReference[];
}

/** Most schemas that one is put together of. */
const REFERENCES_MAX = 64;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The schema with each referenced type defined where its name comes first, as Avro demands. */
const inlined = (schema: unknown, definitions: ReadonlyMap<string, unknown>): unknown => {
  const defined = new Set<string>();
  const typeAt = (part: unknown, namespace: string): unknown => {
    if (Array.isArray(part)) return part.map((branch) => typeAt(branch, namespace));
    if (typeof part === 'string') {
      const name = [part, `${namespace}.${part}`].find((candidate) => definitions.has(candidate));
      if (name === undefined || defined.has(name)) return part;
      defined.add(name);
      return typeAt(definitions.get(name), name.slice(0, Math.max(0, name.lastIndexOf('.'))));
    }
    if (!isObject(part)) return part;
    const own = typeof part.namespace === 'string' ? part.namespace : namespace;
    const copy: Record<string, unknown> = { ...part };
    if (isObject(part.type) || Array.isArray(part.type)) copy.type = typeAt(part.type, own);
    if ('items' in part) copy.items = typeAt(part.items, own);
    if ('values' in part) copy.values = typeAt(part.values, own);
    if (Array.isArray(part.fields))
      copy.fields = part.fields.map((field: unknown) =>
        isObject(field) ? { ...field, type: typeAt(field.type, own) } : field,
      );
    return copy;
  };
  return typeAt(schema, '');
};

/**
 * The whole schema, all that it refers to included, however deep.
 *
 * @param fetchVersion answers a version of a subject; undefined when there is none.
 * @returns undefined when one of them is not there.
 * @throws Error when it refers to more than `REFERENCES_MAX` schemas.
 */
export async function wholeSchema(
  stored: StoredSchema,
  fetchVersion: (reference: SchemaReference) => Promise<StoredSchema | undefined>,
): Promise<object | undefined> {
  const definitions = new Map<string, unknown>();
  const due = [...(stored.references ?? [])];
  for (let reference = due.pop(); reference !== undefined; reference = due.pop()) {
    if (definitions.has(reference.name)) continue;
    if (definitions.size >= REFERENCES_MAX)
      throw new Error(`a schema refers to more than ${String(REFERENCES_MAX)} others`);
    const found = await fetchVersion(reference);
    if (found === undefined) return undefined;
    definitions.set(reference.name, JSON.parse(found.schema));
    due.push(...(found.references ?? []));
  }
  return inlined(JSON.parse(stored.schema), definitions) as object; // a schema with references is a JSON object or list
}

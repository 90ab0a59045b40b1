import { z } from 'zod';
import type { JsonSchemaObject } from '../json-schema/accepts.ts';

/**
 * What zod writes is tidied so that it says what the contract means, in words that survive an update of zod:
 * a `format` without zod's own expression for it, integers without the bounds of a double, lists that may grow as
 * `x-extensible-enum`.
 */
function tidy(schema: Record<string, unknown>): void {
  if (schema.format === 'uuid' || schema.format === 'date-time') delete schema.pattern;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.extensible === true) {
    delete schema.extensible;
    schema['x-extensible-enum'] = schema.enum;
    delete schema.enum;
  }
}

const without = (schema: object, ...names: readonly string[]): JsonSchemaObject =>
  Object.fromEntries(Object.entries(schema).filter(([name]) => !names.includes(name)));

/** A zod schema as JSON Schema 2020-12, without `$schema`. `io` says which side of its transforms is meant. */
export function jsonSchemaOf(schema: z.ZodType, io: 'input' | 'output' = 'input'): JsonSchemaObject {
  const written = z.toJSONSchema(schema, {
    io,
    override: ({ jsonSchema }) => {
      tidy(jsonSchema);
    },
  });
  return without(written, '$schema');
}

/**
 * Named zod schemas as the components of one document: each once, referring to the others by name.
 * @param refTo the `$ref` of a name.
 */
export function componentsOf(
  named: Readonly<Record<string, z.ZodType>>,
  refTo: (name: string) => string,
): Readonly<Record<string, JsonSchemaObject>> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    io: 'input',
    uri: refTo,
    override: ({ jsonSchema }) => {
      tidy(jsonSchema);
    },
  });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, schema]) => [id, without(schema, '$schema', '$id')]),
  );
}

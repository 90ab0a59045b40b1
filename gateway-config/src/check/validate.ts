import { Ajv } from 'ajv';
import { z } from 'zod';
import type { ApisixSchemas } from './schemas.ts';
import { collections, nameOf, type Item, type Standalone } from './standalone.ts';

/** Draft 7 as APISIX reads it: patterns without the u flag, formats and unknown words left alone. */
const ajv = new Ajv({
  strict: false,
  allErrors: true,
  validateFormats: false,
  unicodeRegExp: false,
  logger: false,
});

const failures = (schema: object | undefined, value: unknown, where: string): readonly string[] => {
  if (schema === undefined) return [`${where}: there is no schema for it`];
  const validate = ajv.compile(schema);
  if (validate(value)) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) =>
      `${where}${instancePath}: ${message ?? 'invalid'} ${JSON.stringify(params)}`,
  );
};

const Plugins = z.record(z.string(), z.unknown());
const pluginsOf = (item: Item): Readonly<Record<string, unknown>> =>
  Plugins.safeParse(item.plugins).data ?? {};

/** Every item of the standalone file, and every plugin in it, against the schemas: what APISIX would drop. */
export const validateItems = (file: Standalone, { main, plugins: known }: ApisixSchemas): readonly string[] =>
  collections.flatMap(({ key, schema }) =>
    (file[key] ?? []).flatMap((item, index) => {
      const where = `${key}[${nameOf(item, index)}]`;
      const kind = schema === 'consumer' ? 'consumer_schema' : 'schema';
      if (schema === undefined) {
        const { id, ...metadata } = item;
        return failures(known[String(id)]?.metadata_schema, metadata, where);
      }
      return [
        ...failures(main[schema], item, where),
        ...Object.entries(pluginsOf(item)).flatMap(([name, config]) =>
          failures(known[name]?.[kind] ?? known[name]?.schema, config, `${where}.plugins.${name}`),
        ),
      ];
    }),
  );

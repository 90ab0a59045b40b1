import { readFile } from 'node:fs/promises';
import { z } from 'zod';

const JsonSchema = z.record(z.string(), z.unknown());

/** What `GET /v1/schema` of APISIX's control API answers, as far as it is used. */
export const ApisixSchemas = z.looseObject({
  main: z.record(z.string(), JsonSchema),
  plugins: z.record(
    z.string(),
    z.looseObject({
      schema: JsonSchema.optional(),
      consumer_schema: JsonSchema.optional(),
      metadata_schema: JsonSchema.optional(),
    }),
  ),
});
export type ApisixSchemas = z.infer<typeof ApisixSchemas>;

/** The schemas could not be had: nothing was validated. */
export class SchemasUnavailable extends Error {
  override readonly name = 'SchemasUnavailable';
}

const fetchTimeoutMs = 10_000;

const textFrom = async (source: string): Promise<string> => {
  if (!/^https?:/.test(source)) return readFile(source, 'utf8');
  const response = await fetch(source, { signal: AbortSignal.timeout(fetchTimeoutMs) });
  if (!response.ok) throw new Error(`it answered ${response.status}`);
  return response.text();
};

/** The schemas of a file, or of a running APISIX by the URL of its `/v1/schema`. @throws SchemasUnavailable */
export const readSchemas = async (source: string): Promise<ApisixSchemas> => {
  try {
    return ApisixSchemas.parse(JSON.parse(await textFrom(source)));
  } catch (error) {
    const reason = error instanceof z.ZodError ? 'it has not the shape of /v1/schema' : String(error);
    throw new SchemasUnavailable(`no schemas from ${source}: ${reason}`, { cause: error });
  }
};

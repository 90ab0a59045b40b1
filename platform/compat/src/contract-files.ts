/** The files of one version of the contracts: `contracts/` itself, or a folder of `contracts/released/`. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { isObject, type JsonSchemaObject } from './json-schema/accepts.ts';

/** What a release freezes; folders with everything in them. */
export const frozenPaths = [
  'avro',
  'proto',
  'buf.yaml',
  'schema.graphql',
  'openapi.json',
  'asyncapi.json',
  'queues',
] as const;

/** One version of every contract, as its files have it. */
export interface Contracts {
  /** The release, or `working tree`. */
  readonly version: string;
  readonly dir: string;
  /** Avro records by full name. */
  readonly events: ReadonlyMap<string, JsonSchemaObject>;
  readonly graphqlSdl: string;
  readonly openApi: JsonSchemaObject;
  /** JSON Schemas of queue messages by message type. */
  readonly queueMessages: ReadonlyMap<string, JsonSchemaObject>;
}

/** Every file under a folder or the file itself, relative to `dir`, with `/`, sorted. */
export const filesUnder = (dir: string, path: string): readonly string[] => {
  const full = join(dir, path);
  if (!existsSync(full)) return [];
  const entries = readdirSyncOrSelf(full);
  return entries.map((file) => relative(dir, file).split(sep).join('/')).sort();
};

const readdirSyncOrSelf = (full: string): readonly string[] => {
  try {
    return readdirSync(full, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOTDIR') return [full];
    throw error;
  }
};

/** @throws Error naming the file that is not a JSON object. */
export function readJson(path: string): JsonSchemaObject {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  if (!isObject(parsed)) throw new Error(`${path}: not a JSON object`);
  return parsed;
}

/** The full name of an Avro record. */
export const fullNameOf = (schema: JsonSchemaObject): string =>
  typeof schema.namespace === 'string' ? `${schema.namespace}.${String(schema.name)}` : String(schema.name);

/** Reads every contract under a folder. @throws Error when one is missing or cannot be read. */
export function readContracts(dir: string, version: string): Contracts {
  const events = filesUnder(dir, 'avro').map((file) => readJson(join(dir, file)));
  const queues = filesUnder(dir, 'queues').map(
    (file) => [file.replace(/^.*\//, '').replace(/\.json$/, ''), readJson(join(dir, file))] as const,
  );
  return {
    version,
    dir,
    events: new Map(events.map((schema) => [fullNameOf(schema), schema])),
    graphqlSdl: readFileSync(join(dir, 'schema.graphql'), 'utf8'),
    openApi: readJson(join(dir, 'openapi.json')),
    queueMessages: new Map(queues),
  };
}

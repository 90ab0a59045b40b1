/** The schema registry, through its Confluent-compatible API. */
import { setTimeout as pause } from 'node:timers/promises';
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import { COMPATIBILITY } from '@kafkajs/confluent-schema-registry/dist/constants.js';
import type { SchemaStore } from '../avro/codec.ts';
import { wholeSchema, type StoredSchema } from './schema-references.ts';

const REQUEST_TIMEOUT_MS = 5000;
/** The client's three retries and its pauses included. */
const REGISTRATION_TIMEOUT_MS = 20_000;
/** How long a registry must have answered before this process, which has registered nothing, takes an id for unknown. */
const UNKNOWN_AFTER_MS = 3000;
/** In the place of a schema in another language: no reader can use it, and none can make one of it. */
const NO_AVRO = {};
/** Times a registration is repeated after losing against another process that registers the same subject. */
const REGISTRATION_RACES_MAX = 3;

/** The registry refused a schema; final until someone changes the schema or the registry. */
export class SchemaRefused extends Error {
  override readonly name = 'SchemaRefused';
  /** What a process ends with that cannot start for it: what is outside does not fit this release. */
  readonly exitCode = 3;
}

const statusOf = (error: unknown): number | undefined =>
  error instanceof Error && 'status' in error && typeof error.status === 'number' ? error.status : undefined;

interface Registry {
  /** Base URL of its API. */
  readonly host: string;
  /** Aborted when nobody waits for it any more. */
  readonly signal: AbortSignal;
}

const inTimeOf = (signal: AbortSignal): AbortSignal =>
  AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);

async function inTime<T>(what: string, work: Promise<T>): Promise<T> {
  const given = new AbortController();
  const late = pause(REGISTRATION_TIMEOUT_MS, undefined, { signal: given.signal }).then(() => {
    throw new Error(`${what}: no answer of the registry in ${String(REGISTRATION_TIMEOUT_MS)} ms`);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    given.abort();
    late.catch(() => undefined);
  }
}

async function ask({ host, signal }: Registry, path: string): Promise<StoredSchema | undefined> {
  const response = await fetch(`${host}${path}`, { signal: inTimeOf(signal) });
  if (response.ok) return (await response.json()) as StoredSchema; // the registry's documented answer
  await response.body?.cancel();
  if (response.status === 404) return undefined;
  throw new Error(`the registry answered ${String(response.status)} for ${path}`);
}

async function look(registry: Registry, id: number): Promise<object | undefined> {
  const stored = await ask(registry, `/schemas/ids/${String(id)}`);
  if (stored === undefined) return undefined;
  if (stored.schemaType !== undefined && stored.schemaType !== 'AVRO') return NO_AVRO;
  return wholeSchema(stored, ({ subject, version }) =>
    ask(registry, `/subjects/${encodeURIComponent(subject)}/versions/${String(version)}`),
  );
}

/**
 * Sets the rule before anything is compared. The client sets it too, but after the first registration that finds
 * none, and a subject that someone made without a rule would take anything.
 */
async function writeRule({ host, signal }: Registry, subject: string): Promise<Response> {
  const response = await fetch(`${host}/config/${encodeURIComponent(subject)}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ compatibility: COMPATIBILITY.FULL_TRANSITIVE }),
    signal: inTimeOf(signal),
  });
  await response.body?.cancel();
  // 404: the subject is not there yet; its first version has nothing to be compared with.
  if (!response.ok && response.status !== 404)
    throw new Error(`the registry answered ${String(response.status)} to the rule of ${subject}`);
  return response;
}

/**
 * Registers with FULL_TRANSITIVE compatibility set on the subject, under the record's full name.
 *
 * A registry that starts answers 404 for ids that it has given out, until it has read its own state; taken for final,
 * that would make a reader drop an event that every other reader folds. So an id is unknown only when it is still
 * unknown after a write: a registry whose state is a log confirms a write once it has read everything before it. A
 * process that only reads writes nothing; it waits until the registry has answered for a while instead. Both hold for
 * one registry, as the engines here are: of several behind one address the one that is asked next may be another.
 *
 * @param signal ends what is asked and waited for, except a registration. Default: never.
 */
export function registryStore(host: string, signal: AbortSignal = new AbortController().signal): SchemaStore {
  const asked: Registry = { host, signal };
  const registry = new SchemaRegistry({
    host,
    retry: { retries: 3, initialRetryTimeInSecs: 0.1, maxRetryTimeInSecs: 1 },
  });
  const registered = new Set<string>();
  let answeringSinceMs: number | undefined;
  const register = async (subject: string, schema: object, attemptsLeft: number): Promise<number> => {
    try {
      await writeRule(asked, subject);
      const { id } = await inTime(
        subject,
        registry.register(
          { type: SchemaType.AVRO, schema: JSON.stringify(schema) },
          { subject, compatibility: COMPATIBILITY.FULL_TRANSITIVE },
        ),
      );
      registered.add(subject);
      return id;
    } catch (error) {
      const status = statusOf(error);
      // Two services that register one subject at the same moment: the loser's subject is there now.
      if (attemptsLeft > 0 && error instanceof Error && error.message.includes('already exists')) {
        return register(subject, schema, attemptsLeft - 1);
      }
      if (status === 409 || status === 422) {
        throw new SchemaRefused(`${subject}: ${error instanceof Error ? error.message : 'refused'}`, {
          cause: error,
        });
      }
      throw error;
    }
  };
  /** Resolves when the registry has read its own state. */
  const settled = async (): Promise<void> => {
    if (registered.size === 0) {
      const sinceMs = performance.now() - (answeringSinceMs ?? performance.now());
      await pause(Math.max(0, UNKNOWN_AFTER_MS - sinceMs), undefined, { signal });
      return;
    }
    // Any of them will do: one may have been deleted since.
    for (const subject of registered) if ((await writeRule(asked, subject)).status !== 404) return;
    throw new Error(`the registry does not know ${[...registered].join(', ')}, which it has registered`);
  };
  const lookNow = async (id: number): Promise<object | undefined> => {
    try {
      const schema = await look(asked, id);
      answeringSinceMs ??= performance.now();
      return schema;
    } catch (error) {
      answeringSinceMs = undefined;
      throw error;
    }
  };
  return {
    register: (subject, schema) => register(subject, schema, REGISTRATION_RACES_MAX),
    fetch: async (id) => {
      const schema = await lookNow(id);
      if (schema !== undefined) return schema;
      await settled();
      return lookNow(id);
    },
  };
}

/** The schema registry, through its Confluent-compatible API. */
import { setTimeout as pause } from 'node:timers/promises';
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import { COMPATIBILITY } from '@kafkajs/confluent-schema-registry/dist/constants.js';
import type { SchemaStore } from '../avro/codec.ts';

const REQUEST_TIMEOUT_MS = 5000;
/** The client's three retries and its pauses included. */
const REGISTRATION_TIMEOUT_MS = 20_000;
/** How long an id must be unknown to a registry that this process has registered nothing with. */
const UNKNOWN_FOR_MS = 1000;
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

async function look(host: string, id: number): Promise<object | undefined> {
  const response = await fetch(`${host}/schemas/ids/${String(id)}`, {
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
  if (!response.ok) {
    await response.body?.cancel();
    if (response.status === 404) return undefined;
    throw new Error(`the registry answered ${String(response.status)} for schema ${String(id)}`);
  }
  const body = (await response.json()) as { readonly schema: string }; // the registry's documented answer
  return JSON.parse(body.schema) as object;
}

/**
 * Registers with FULL_TRANSITIVE compatibility set on the subject, under the record's full name.
 *
 * A registry that starts answers 404 for ids that it has given out, until it has read its own state; taken for final,
 * that would make a reader drop an event that every other reader folds. So an id is unknown only when it is still
 * unknown after a write: a registry whose state is a log confirms a write once it has read everything before it.
 */
export function registryStore(host: string): SchemaStore {
  const registry = new SchemaRegistry({
    host,
    retry: { retries: 3, initialRetryTimeInSecs: 0.1, maxRetryTimeInSecs: 1 },
  });
  let registered: string | undefined;
  /**
   * Sets the rule before anything is compared. The client sets it too, but after the first registration that finds
   * none, and a subject that someone made without a rule would take anything.
   */
  const writeRule = async (subject: string): Promise<Response> => {
    const response = await fetch(`${host}/config/${encodeURIComponent(subject)}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ compatibility: COMPATIBILITY.FULL_TRANSITIVE }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    await response.body?.cancel();
    // 404: the subject is not there yet; its first version has nothing to be compared with.
    if (!response.ok && response.status !== 404)
      throw new Error(`the registry answered ${String(response.status)} to the rule of ${subject}`);
    return response;
  };
  const register = async (subject: string, schema: object, attemptsLeft: number): Promise<number> => {
    try {
      await writeRule(subject);
      const { id } = await inTime(
        subject,
        registry.register(
          { type: SchemaType.AVRO, schema: JSON.stringify(schema) },
          { subject, compatibility: COMPATIBILITY.FULL_TRANSITIVE },
        ),
      );
      registered = subject;
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
    if (registered === undefined) {
      await pause(UNKNOWN_FOR_MS); // whoever only reads leaves no trace
      return;
    }
    const { status } = await writeRule(registered);
    if (status === 404) throw new Error(`the registry does not know ${registered}, which it has registered`);
  };
  return {
    register: (subject, schema) => register(subject, schema, REGISTRATION_RACES_MAX),
    fetch: async (id) => {
      const schema = await look(host, id);
      if (schema !== undefined) return schema;
      await settled();
      return look(host, id);
    },
  };
}

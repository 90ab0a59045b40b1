/** The schema registry, through its Confluent-compatible API. */
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import { COMPATIBILITY } from '@kafkajs/confluent-schema-registry/dist/constants.js';
import type { SchemaStore } from '../avro/codec.ts';

const REQUEST_TIMEOUT_MS = 5000;
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

/** Registers with FULL_TRANSITIVE compatibility set on the subject, under the record's full name. */
export function registryStore(host: string): SchemaStore {
  const registry = new SchemaRegistry({
    host,
    retry: { retries: 3, initialRetryTimeInSecs: 0.1, maxRetryTimeInSecs: 1 },
  });
  /**
   * Sets the rule before anything is compared. The client sets it too, but after the first registration that finds
   * none, and a subject that someone made without a rule would take anything.
   */
  const setRule = async (subject: string): Promise<void> => {
    const response = await fetch(`${host}/config/${encodeURIComponent(subject)}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ compatibility: COMPATIBILITY.FULL_TRANSITIVE }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    // 404: the subject is not there yet; its first version has nothing to be compared with.
    if (!response.ok && response.status !== 404)
      throw new Error(`the registry answered ${String(response.status)} to the rule of ${subject}`);
  };
  const register = async (subject: string, schema: object, attemptsLeft: number): Promise<number> => {
    try {
      await setRule(subject);
      const { id } = await registry.register(
        { type: SchemaType.AVRO, schema: JSON.stringify(schema) },
        { subject, compatibility: COMPATIBILITY.FULL_TRANSITIVE },
      );
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
  return {
    register: (subject, schema) => register(subject, schema, REGISTRATION_RACES_MAX),
    fetch: async (id) => {
      const response = await fetch(`${host}/schemas/ids/${String(id)}`, {
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      });
      if (response.status === 404) return undefined;
      if (!response.ok)
        throw new Error(`the registry answered ${String(response.status)} for schema ${String(id)}`);
      const body = (await response.json()) as { readonly schema: string }; // the registry's documented answer
      return JSON.parse(body.schema) as object;
    },
  };
}

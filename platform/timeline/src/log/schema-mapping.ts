/** Schema ids belong to a registry: what a file calls 7 may be 12 where it is imported, or nothing at all. */
import type { SchemaStore } from '@parley/event-log/tools';
import { SchemaRefused } from '@parley/event-log';
import { CommandError } from '../cli/exit.ts';

/** Highest schema id that is looked at when one is needed that means nothing: ids are positive 32-bit integers. */
const HIGHEST_ID = 0x7fffffff;
const FREE_ID_TRIES = 16;

interface Named {
  readonly name?: unknown;
  readonly namespace?: unknown;
}

export class SchemaMapping {
  readonly #store: SchemaStore;
  readonly #ids: Map<number, number>;
  #unknown: number | undefined;
  /** Schemas of the file that got another id. */
  readonly renumbered: Readonly<Record<string, number>>;

  private constructor(store: SchemaStore, ids: Map<number, number>) {
    this.#store = store;
    this.#ids = ids;
    this.renumbered = Object.fromEntries([...ids].filter(([old, now]) => old !== now));
  }

  /** Registers every schema of a file, oldest id first, so that versions keep their order. @throws CommandError */
  static async register(
    schemas: Readonly<Record<string, object>>,
    store: SchemaStore,
  ): Promise<SchemaMapping> {
    const ids = new Map<number, number>();
    for (const [old, schema] of Object.entries(schemas).sort(([a], [b]) => Number(a) - Number(b))) {
      const { name, namespace } = schema as Named; // any JSON may be in a file
      if (typeof name !== 'string')
        throw new CommandError('failed', `schema ${old} of the file has no name to be registered under`);
      const subject = typeof namespace === 'string' ? `${namespace}.${name}` : name;
      try {
        ids.set(Number(old), await store.register(subject, schema));
      } catch (error) {
        if (!(error instanceof SchemaRefused)) throw error;
        throw new CommandError(
          'failed',
          `the registry refuses schema ${old} of the file: ${error.message}`,
          error,
        );
      }
    }
    return new SchemaMapping(store, ids);
  }

  /**
   * The value with the id that its schema has in the target; the same buffer when nothing has to change. An id that
   * the file does not know stays one that nobody knows: by chance it could name a schema in the target, and a bad
   * record would turn good.
   */
  async rewritten(value: Buffer | null): Promise<Buffer | null> {
    if (value === null || value.length < 5 || value[0] !== 0) return value;
    const old = value.readUInt32BE(1);
    const now = this.#ids.get(old) ?? (await this.#idThatMeansNothing(old));
    if (now === old) return value;
    const copy = Buffer.from(value);
    copy.writeUInt32BE(now, 1);
    return copy;
  }

  async #idThatMeansNothing(old: number): Promise<number> {
    const id = (await this.#store.fetch(old)) === undefined ? old : (this.#unknown ??= await this.#freeId());
    this.#ids.set(old, id);
    return id;
  }

  async #freeId(): Promise<number> {
    for (let id = HIGHEST_ID; id > HIGHEST_ID - FREE_ID_TRIES; id--)
      if (!this.#ids.has(id) && (await this.#store.fetch(id)) === undefined) return id;
    throw new CommandError('failed', 'the registry knows a schema under each of its highest ids');
  }
}

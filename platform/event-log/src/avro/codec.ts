/**
 * Events in Confluent wire format: magic byte 0, schema id (4 bytes, big-endian), Avro binary. The writer's schema is
 * resolved to the reader's. Ids are cached in both directions for the life of the process.
 *
 * Whether a record is readable is judged by its writer's schema alone, so that every release of every reader agrees.
 * Whether this release can use it is another question, with another answer: `FOREIGN`.
 */
import { Buffer } from 'node:buffer';
import avsc, { type Schema, type Type } from 'avsc';
import { nameDigest, valueDigest } from '../arbitration/commit-header.ts';
import type { DomainEvent, EventTopic, Upcaster } from '../ports.ts';
import { hasRepeats, isBounded, walkThrough } from './bounded.ts';

/** Where schemas live. */
export interface SchemaStore {
  /** Registers under the record's full name and answers the id; the same schema gives the same id. */
  register(subject: string, schema: object): Promise<number>;
  /** Undefined when there is no such id (final). Rejects when the store cannot be reached (retryable). */
  fetch(id: number): Promise<object | undefined>;
}

const PREFIX_BYTES = 5;
/** Where an event is encoded until its size is known. Encoding is synchronous: one is enough for a process. */
const scratch = Buffer.allocUnsafeSlow(4096);

interface Named {
  readonly name: string;
  readonly namespace?: string;
}

/** What avsc answers: `offset` is negative when the bytes ended too early. */
interface Decoded {
  readonly value: object;
  readonly offset: number;
}

interface Reader {
  readonly type: string;
  readonly avro: Type;
  readonly upcaster: Upcaster | undefined;
}
type Decoder = (value: Buffer) => DomainEvent | Foreign | undefined;

/** What a schema id means. */
interface Known {
  /** Undefined when no reader can use it: there is no such id, or it names no Avro schema. */
  readonly decoder: Decoder | undefined;
  /** See `nameDigest`. */
  readonly name: number;
}

/**
 * An event that its writer's schema reads, and this release does not know: a type that is not declared, or a schema
 * that does not resolve to the declared one.
 */
export const FOREIGN = null;
type Foreign = typeof FOREIGN;

/** The upcaster, when the writer's schema is one that it is for. */
function upcasterFor(reader: Reader, writer: object): Upcaster | undefined {
  const fields: unknown = 'fields' in writer ? writer.fields : undefined;
  const names = Array.isArray(fields) ? fields.map((field: Named) => field.name) : [];
  return reader.upcaster?.fills.some((name) => !names.includes(name)) === true ? reader.upcaster : undefined;
}

const fullName = (schema: Named): string =>
  schema.namespace === undefined ? schema.name : `${schema.namespace}.${schema.name}`;

export class AvroCodec<E extends DomainEvent> {
  readonly #store: SchemaStore;
  readonly #readers = new Map<string, Reader>();
  readonly #writers = new Map<string, { readonly id: number; readonly avro: Type }>();
  /** By schema id. */
  readonly #known = new Map<number, Known>();
  readonly #fetching = new Map<number, Promise<void>>();

  constructor(topic: EventTopic<E>, store: SchemaStore) {
    this.#store = store;
    const upcasters: Readonly<Record<string, Upcaster | undefined>> = topic.upcasters ?? {};
    for (const [type, schema] of Object.entries<object>(topic.schemas)) {
      // A schema is data until avsc has read it.
      const avro = avsc.Type.forSchema(schema as Schema);
      if (!isBounded(avro))
        throw new Error(`${type}: a type in it contains itself, or takes no bytes where it must`);
      this.#readers.set(fullName(schema as Named), { type, avro, upcaster: upcasters[type] });
    }
  }

  /** Registers every schema of the topic. Rejects with the store's reason when one is incompatible. */
  async register(topic: EventTopic<E>): Promise<void> {
    for (const [type, schema] of Object.entries<object>(topic.schemas)) {
      const subject = fullName(schema as Named);
      const avro = this.#readers.get(subject)?.avro;
      if (avro === undefined) throw new Error(`no reader for ${subject}`);
      const id = await this.#store.register(subject, schema);
      this.#writers.set(type, { id, avro });
      // What this process writes it must be able to read back, whatever becomes of the store. No store gives id 0.
      if (id > 0) this.#known.set(id, this.#read(schema));
    }
  }

  /** @throws Error when the event does not fit its schema or its type was not registered. */
  encode(event: E): Buffer {
    const writer = this.#writers.get(event.type);
    if (writer === undefined) throw new Error(`no schema registered for ${event.type}`);
    // avsc answers where it ended, or how many bytes were missing, as a negative number.
    const end = writer.avro.encode(event.data, scratch, PREFIX_BYTES);
    const bytes = Buffer.allocUnsafe(end < 0 ? scratch.length - end : end);
    if (end < 0) writer.avro.encode(event.data, bytes, PREFIX_BYTES);
    else scratch.copy(bytes, PREFIX_BYTES, PREFIX_BYTES, end);
    bytes[0] = 0;
    bytes.writeUInt32BE(writer.id, 1);
    return bytes;
  }

  /** Names the fields by which data does not fit the schema of a type; undefined when it fits. */
  problemOf(type: string, data: unknown): string | undefined {
    const writer = this.#writers.get(type);
    if (writer === undefined) return `no schema registered for ${type}`;
    const paths: string[] = [];
    const errorHook = (path: string[]): void => {
      paths.push(path.join('.') || 'all of it');
    };
    if (writer.avro.isValid(data, { errorHook })) return undefined;
    return `does not fit the schema of ${type}: ${paths.join(', ')}`;
  }

  /** The schema id of a record that cannot be decoded before `prepare`; undefined when there is nothing to prepare. */
  missing(value: Buffer | null): number | undefined {
    if (value === null || value.length < PREFIX_BYTES || value[0] !== 0) return undefined;
    const id = value.readUInt32BE(1);
    return this.#known.has(id) ? undefined : id;
  }

  /** Fetches the schema of an id once, however many ask. Rejects when the store cannot be reached. */
  prepare(id: number): Promise<void> {
    const under = this.#fetching.get(id);
    if (under !== undefined) return under;
    const fetching = this.#store
      .fetch(id)
      .then((schema) => {
        this.#known.set(id, this.#read(schema));
      })
      .finally(() => this.#fetching.delete(id));
    this.#fetching.set(id, fetching);
    return fetching;
  }

  /**
   * Undefined for anything that is not exactly one event of its writer's schema. Every schema id must have been
   * prepared.
   */
  decode(value: Buffer | null): E | Foreign | undefined {
    if (value === null || value.length < PREFIX_BYTES || value[0] !== 0) return undefined;
    const decoder = this.#known.get(value.readUInt32BE(1))?.decoder;
    if (decoder === undefined) return undefined;
    try {
      return decoder(value) as E | Foreign | undefined;
    } catch {
      return undefined; // avsc throws on bytes that its schema cannot mean
    }
  }

  /** See `valueDigest`. The schema id must have been prepared. */
  digest(value: Buffer | null): number {
    if (value === null || value.length < PREFIX_BYTES || value[0] !== 0) return 0; // of no commit that is accepted
    return valueDigest(value, this.#known.get(value.readUInt32BE(1))?.name ?? 0);
  }

  #read(schema: object | undefined): Known {
    const writer = schema === undefined ? undefined : typeOf(schema);
    if (schema === undefined || writer === undefined) return { decoder: undefined, name: 0 };
    return { decoder: this.#decoderOf(schema, writer), name: nameDigest(writer.name ?? '') };
  }

  #decoderOf(schema: object, writer: Type): Decoder {
    const decoder = this.#decoderFor(schema, writer);
    if (!hasRepeats(writer)) return decoder;
    return (bytes) => {
      walkThrough(writer, bytes, PREFIX_BYTES);
      return decoder(bytes);
    };
  }

  #decoderFor(schema: object, writer: Type): Decoder {
    const isReadable = (bytes: Buffer): boolean => {
      const decoded: Decoded = writer.decode(bytes, PREFIX_BYTES);
      return decoded.offset === bytes.length;
    };
    const foreign: Decoder = (bytes) => (isReadable(bytes) ? FOREIGN : undefined);
    const reader = this.#readers.get(writer.name ?? '');
    if (reader === undefined) return foreign;
    const { type, avro } = reader;
    if (writer.equals(avro)) {
      return (bytes) => {
        const decoded: Decoded = avro.decode(bytes, PREFIX_BYTES);
        return decoded.offset === bytes.length ? { type, data: decoded.value } : undefined;
      };
    }
    const resolver = resolverOf(avro, writer);
    if (resolver === undefined) return foreign;
    const upcaster = upcasterFor(reader, schema);
    return (bytes) => {
      // Read twice: resolving skips what this release does not need, and what is skipped is not looked at.
      if (!isReadable(bytes)) return undefined;
      let decoded: Decoded;
      try {
        decoded = avro.decode(bytes, PREFIX_BYTES, resolver);
      } catch {
        return FOREIGN; // a value that the declared type has no place for, such as a new symbol of an enum
      }
      if (upcaster === undefined) return { type, data: decoded.value };
      try {
        return { type, data: upcaster.upcast(decoded.value) };
      } catch {
        return FOREIGN; // a bug of this release, which changes no verdict
      }
    };
  }
}

/** Undefined when it is no schema, or none that is safe to read for: it is none, for every reader. */
function typeOf(schema: object): Type | undefined {
  try {
    const type = avsc.Type.forSchema(schema as Schema);
    return isBounded(type) ? type : undefined;
  } catch {
    return undefined;
  }
}

/** Undefined when the writer's values cannot be read as the reader's. */
function resolverOf(reader: Type, writer: Type): ReturnType<Type['createResolver']> | undefined {
  try {
    return reader.createResolver(writer);
  } catch {
    return undefined;
  }
}

/**
 * Events in Confluent wire format: magic byte 0, schema id (4 bytes, big-endian), Avro binary. The writer's schema is
 * resolved to the reader's. Ids are cached in both directions for the life of the process.
 */
import { Buffer } from 'node:buffer';
import avsc, { type Schema, type Type } from 'avsc';
import type { DomainEvent, EventTopic } from '../ports.ts';

/** Where schemas live. */
export interface SchemaStore {
  /** Registers under the record's full name and answers the id; the same schema gives the same id. */
  register(subject: string, schema: object): Promise<number>;
  /** Undefined when there is no such id (final). Rejects when the store cannot be reached (retryable). */
  fetch(id: number): Promise<object | undefined>;
}

const PREFIX_BYTES = 5;

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
}
type Decoder = (value: Buffer) => DomainEvent | undefined;

const fullName = (schema: Named): string =>
  schema.namespace === undefined ? schema.name : `${schema.namespace}.${schema.name}`;

export class AvroCodec<E extends DomainEvent> {
  readonly #store: SchemaStore;
  readonly #readers = new Map<string, Reader>();
  readonly #writers = new Map<string, { readonly id: number; readonly avro: Type }>();
  /** By schema id; null is a cached "there is none that this reader can use". */
  readonly #decoders = new Map<number, Decoder | null>();
  readonly #fetching = new Map<number, Promise<void>>();

  constructor(topic: EventTopic<E>, store: SchemaStore) {
    this.#store = store;
    for (const [type, schema] of Object.entries<object>(topic.schemas)) {
      // A schema is data until avsc has read it.
      this.#readers.set(fullName(schema as Named), { type, avro: avsc.Type.forSchema(schema as Schema) });
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
    }
  }

  /** @throws Error when the event does not fit its schema or its type was not registered. */
  encode(event: E): Buffer {
    const writer = this.#writers.get(event.type);
    if (writer === undefined) throw new Error(`no schema registered for ${event.type}`);
    const body = writer.avro.toBuffer(event.data);
    const bytes = Buffer.allocUnsafe(PREFIX_BYTES + body.length);
    bytes[0] = 0;
    bytes.writeUInt32BE(writer.id, 1);
    bytes.set(body, PREFIX_BYTES);
    return bytes;
  }

  /** The schema id of a record that cannot be decoded before `prepare`; undefined when there is nothing to prepare. */
  missing(value: Buffer | null): number | undefined {
    if (value === null || value.length < PREFIX_BYTES || value[0] !== 0) return undefined;
    const id = value.readUInt32BE(1);
    return this.#decoders.has(id) ? undefined : id;
  }

  /** Fetches the schema of an id once, however many ask. Rejects when the store cannot be reached. */
  prepare(id: number): Promise<void> {
    const under = this.#fetching.get(id);
    if (under !== undefined) return under;
    const fetching = this.#store
      .fetch(id)
      .then((schema) => {
        this.#decoders.set(id, schema === undefined ? null : this.#decoderOf(schema));
      })
      .finally(() => this.#fetching.delete(id));
    this.#fetching.set(id, fetching);
    return fetching;
  }

  /** Undefined for anything that is not exactly one readable event. Every schema id must have been prepared. */
  decode(value: Buffer | null): E | undefined {
    if (value === null || value.length < PREFIX_BYTES || value[0] !== 0) return undefined;
    const decoder = this.#decoders.get(value.readUInt32BE(1));
    if (decoder === undefined || decoder === null) return undefined;
    try {
      return decoder(value) as E | undefined;
    } catch {
      return undefined; // avsc throws on bytes that its schema cannot mean
    }
  }

  #decoderOf(schema: object): Decoder | null {
    const reader = this.#readers.get(fullName(schema as Named));
    if (reader === undefined) return null;
    try {
      const writer = avsc.Type.forSchema(schema as Schema);
      const resolver = writer.equals(reader.avro) ? undefined : reader.avro.createResolver(writer);
      return (bytes) => {
        const decoded: Decoded = reader.avro.decode(bytes, PREFIX_BYTES, resolver);
        return decoded.offset === bytes.length ? { type: reader.type, data: decoded.value } : undefined;
      };
    } catch {
      return null; // the writer's schema cannot be read as ours: incompatible, the same for every reader of this release
    }
  }
}

import { Buffer } from 'node:buffer';
import avsc, { type Schema } from 'avsc';
import { describe, expect, it } from 'vitest';
import type { EventTopic } from '../ports.ts';
import { AvroCodec, FOREIGN, type SchemaStore } from './codec.ts';

interface Opened {
  readonly type: 'Opened';
  readonly data: { readonly id: string; readonly at: number; readonly until?: number; readonly by?: string };
}
type Fields = readonly object[];

const id = { name: 'id', type: 'string' };
const at = { name: 'at', type: 'long' };
const until = { name: 'until', type: 'long', default: 0 };
const by = (symbols: readonly string[]) => ({
  name: 'by',
  type: { type: 'enum', name: 'By', symbols, default: 'UNKNOWN' },
  default: 'UNKNOWN',
});
const topicOf = (fields: Fields, upcasters?: EventTopic<Opened>['upcasters']): EventTopic<Opened> => ({
  name: 'test.doors.events',
  partitions: 1,
  schemas: { Opened: { type: 'record', name: 'Opened', namespace: 'test.doors', fields } },
  ...(upcasters === undefined ? {} : { upcasters }),
});
/** `until` means "an hour later" where nobody wrote it. */
const filling: EventTopic<Opened>['upcasters'] = {
  Opened: {
    fills: ['until'],
    upcast: (data) => ({ ...data, until: (data as Opened['data']).at + 3_600_000 }),
  },
};

/** A registry in memory that both sides share. */
function sharedStore(): SchemaStore {
  const schemas: object[] = [];
  return {
    register: (_subject, schema) => Promise.resolve(schemas.push(schema)),
    fetch: (schemaId) => Promise.resolve(schemas[schemaId - 1]),
  };
}

/** What the reader makes of an event that the writer encoded. */
async function read(
  writer: EventTopic<Opened>,
  reader: EventTopic<Opened>,
  data: Opened['data'],
): Promise<unknown> {
  const store = sharedStore();
  const from = new AvroCodec(writer, store);
  await from.register(writer);
  const bytes = from.encode({ type: 'Opened', data });
  const to = new AvroCodec(reader, store);
  const missing = to.missing(bytes);
  if (missing !== undefined) await to.prepare(missing);
  return to.decode(bytes)?.data;
}

describe('an event of a registered schema', () => {
  it('is read back without asking the store, which may be down by then', async () => {
    const topic = topicOf([id, at]);
    const fetched: number[] = [];
    const store = sharedStore();
    const codec = new AvroCodec(topic, {
      ...store,
      fetch: (schemaId) => {
        fetched.push(schemaId);
        return store.fetch(schemaId);
      },
    });
    await codec.register(topic);
    const bytes = codec.encode({ type: 'Opened', data: { id: 'a', at: 5 } });
    expect(codec.missing(bytes)).toBeUndefined();
    expect(codec.decode(bytes)?.data).toEqual({ id: 'a', at: 5 });
    expect(fetched).toEqual([]);
  });
});

describe('an encoded event', () => {
  it('is what avsc makes of it behind the prefix, of whatever size, and keeps its bytes when others are encoded', async () => {
    const topic = topicOf([id, at]);
    const codec = new AvroCodec(topic, sharedStore());
    await codec.register(topic);
    const avro = avsc.Type.forSchema(topic.schemas.Opened as Schema);
    const sizes = [0, 1, 4080, 4081, 4082, 4083, 4084, 4085, 4086, 4087, 4088, 4089, 5000, 300_000];
    const events = sizes.map((size): Opened => ({
      type: 'Opened',
      data: { id: 'é'.repeat(size / 2), at: size },
    }));
    const encoded = events.map((event) => codec.encode(event));
    for (const [index, { data }] of events.entries()) {
      const bytes = encoded[index] ?? Buffer.alloc(0);
      expect(bytes.subarray(0, 5)).toEqual(Buffer.from([0, 0, 0, 0, 1]));
      expect(bytes.subarray(5).equals(avro.toBuffer(data))).toBe(true);
      expect(codec.decode(bytes)?.data).toEqual(data);
    }
  });

  it('is refused when it does not fit its schema, and the next one is encoded all the same', async () => {
    const topic = topicOf([id, at]);
    const codec = new AvroCodec(topic, sharedStore());
    await codec.register(topic);
    const unfit = { type: 'Opened', data: { id: 'a', at: 0.5 } } as const;
    expect(() => codec.encode(unfit)).toThrow('0.5');
    const fit = { type: 'Opened', data: { id: 'b', at: 7 } } as const;
    expect(codec.decode(codec.encode(fit))?.data).toEqual(fit.data);
  });
});

describe('an event of another schema version', () => {
  it('is upcast when its writer lacked a field that the upcaster fills', async () => {
    expect(await read(topicOf([id, at]), topicOf([id, at, until], filling), { id: 'a', at: 5 })).toEqual({
      id: 'a',
      at: 5,
      until: 3_600_005,
    });
  });

  it('is left as it was written when its writer had the field, were it the default', async () => {
    const today = topicOf([id, at, until], filling);
    expect(await read(today, today, { id: 'a', at: 5, until: 0 })).toMatchObject({ until: 0 });
    const newer = topicOf([id, at, until, by(['UNKNOWN'])]);
    expect(await read(newer, today, { id: 'a', at: 5, until: 0, by: 'UNKNOWN' })).toEqual({
      id: 'a',
      at: 5,
      until: 0,
    });
  });

  it('has the default without an upcaster', async () => {
    expect(await read(topicOf([id, at]), topicOf([id, at, until]), { id: 'a', at: 5 })).toMatchObject({
      until: 0,
    });
  });

  it('has the default of an enum for a symbol that the reader does not know', async () => {
    const newer = topicOf([id, at, by(['UNKNOWN', 'WEB', 'KIOSK'])]);
    const older = topicOf([id, at, by(['UNKNOWN', 'WEB'])]);
    expect(await read(newer, older, { id: 'a', at: 5, by: 'KIOSK' })).toMatchObject({ by: 'UNKNOWN' });
    expect(await read(newer, older, { id: 'a', at: 5, by: 'WEB' })).toMatchObject({ by: 'WEB' });
  });

  it('is unreadable when the schemas contradict each other', async () => {
    const text = { name: 'at', type: 'string' };
    expect(await read(topicOf([id, at]), topicOf([id, text]), { id: 'a', at: 5 })).toBeUndefined();
  });

  it('is foreign to a release whose upcaster throws, and unreadable to none: its verdict is that of the others', async () => {
    const store = sharedStore();
    const older = topicOf([id, at]);
    const writer = new AvroCodec(older, store);
    await writer.register(older);
    const bytes = writer.encode({ type: 'Opened', data: { id: 'a', at: 5 } });
    const upcast = (): never => {
      throw new RangeError('a bug');
    };
    const reader = new AvroCodec(topicOf([id, at, until], { Opened: { fills: ['until'], upcast } }), store);
    await reader.prepare(reader.missing(bytes) ?? 0);
    expect(reader.decode(bytes)).toBe(FOREIGN);
  });
});

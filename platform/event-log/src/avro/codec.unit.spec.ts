import { describe, expect, it } from 'vitest';
import type { EventTopic } from '../ports.ts';
import { AvroCodec, type SchemaStore } from './codec.ts';

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
});

/** The two sides: the log's codec, and avsc as it comes. Both handle the same events of orders, of four types. */
import { createHash, type Hash } from 'node:crypto';
import type { OrderEvent } from '@parley/contracts/events';
import { orderEvents } from '@parley/contracts/topics';
import { AvroCodec, type SchemaStore } from '@parley/event-log/tools';
import avsc, { type Schema, type Type } from 'avsc';
import { EVENTS_PER_ORDER, eventsOf } from '../replay/order-events.ts';

const ORDERS = 500;
const WARM_UP_ROUNDS = 50;
const ROUNDS = 250;

/** What one run came to. */
export interface Coded {
  readonly events: number;
  /** Asked for. */
  readonly expected: number;
  readonly elapsedMs: number;
  /** Names the bytes or events of one round, and how much the timed rounds made of them. */
  readonly digest: string;
}

export type Job = 'codec-encode' | 'avsc-encode' | 'codec-decode' | 'avsc-decode';

/** What is timed. Answers how many events it coded, and a sum that depends on each. */
interface Work {
  readonly round: () => { readonly events: number; readonly sum: number };
  /** Everything that one round makes, outside of what is timed. */
  readonly describe: (hash: Hash) => void;
}

/** The same in every process. */
function sampleEvents(): readonly OrderEvent[] {
  let ids = 0;
  const nextId = (): string => `00000000-0000-4000-8000-${(ids++).toString(16).padStart(12, '0')}`;
  return Array.from({ length: ORDERS }, (_, number) => eventsOf(number, nextId)).flat();
}

/** Gives out ids, and is never asked for what the codec registered. */
function store(): SchemaStore {
  let ids = 0;
  return {
    register: () => Promise.resolve(++ids),
    fetch: (id) => Promise.reject(new Error(`schema ${String(id)} was asked for`)),
  };
}

async function codecOf(): Promise<AvroCodec<OrderEvent>> {
  const codec = new AvroCodec(orderEvents, store());
  await codec.register(orderEvents);
  return codec;
}

const avscTypes = (): ReadonlyMap<string, Type> =>
  new Map(
    Object.entries(orderEvents.schemas).map(([type, schema]) => [
      type,
      avsc.Type.forSchema(schema as Schema), // a schema is data until avsc has read it
    ]),
  );

const typeOf = (types: ReadonlyMap<string, Type>, { type }: OrderEvent): Type => {
  const avro = types.get(type);
  if (avro === undefined) throw new Error(`no schema for ${type}`);
  return avro;
};

/** Bytes of the prefix, which avsc alone does not write. */
const PREFIX_BYTES = 5;

async function codecEncode(events: readonly OrderEvent[]): Promise<Work> {
  const codec = await codecOf();
  return {
    round: () => {
      let sum = 0;
      for (const event of events) sum += codec.encode(event).length - PREFIX_BYTES;
      return { events: events.length, sum };
    },
    describe: (hash) => {
      for (const event of events) hash.update(codec.encode(event).subarray(PREFIX_BYTES));
    },
  };
}

function avscEncode(events: readonly OrderEvent[]): Work {
  const types = avscTypes();
  return {
    round: () => {
      let sum = 0;
      for (const event of events) sum += typeOf(types, event).toBuffer(event.data).length;
      return { events: events.length, sum };
    },
    describe: (hash) => {
      for (const event of events) hash.update(typeOf(types, event).toBuffer(event.data));
    },
  };
}

const describeData = (hash: Hash, data: object): void => {
  hash.update(JSON.stringify(data));
};

async function codecDecode(events: readonly OrderEvent[]): Promise<Work> {
  const codec = await codecOf();
  const values = events.map((event) => codec.encode(event));
  return {
    round: () => {
      let [decoded, sum] = [0, 0];
      for (const value of values) {
        const event = codec.decode(value);
        if (event === undefined || event === null) continue;
        decoded++;
        sum += event.data.orderId.length;
      }
      return { events: decoded, sum };
    },
    describe: (hash) => {
      for (const value of values) describeData(hash, codec.decode(value)?.data ?? {});
    },
  };
}

/** Is told the type of each value, which the codec has to find out from its prefix. */
function avscDecode(events: readonly OrderEvent[]): Work {
  const types = avscTypes();
  const values = events.map((event) => {
    const avro = typeOf(types, event);
    return { avro, bytes: avro.toBuffer(event.data) };
  });
  const decode = ({ avro, bytes }: (typeof values)[number]): OrderEvent['data'] =>
    avro.fromBuffer(bytes) as OrderEvent['data']; // bytes become an event here
  return {
    round: () => {
      let sum = 0;
      for (const value of values) sum += decode(value).orderId.length;
      return { events: values.length, sum };
    },
    describe: (hash) => {
      for (const value of values) describeData(hash, decode(value));
    },
  };
}

const works: Readonly<Record<Job, (events: readonly OrderEvent[]) => Work | Promise<Work>>> = {
  'codec-encode': codecEncode,
  'avsc-encode': avscEncode,
  'codec-decode': codecDecode,
  'avsc-decode': avscDecode,
};

/** Warms up, then times `ROUNDS` rounds over 2,000 events. */
export async function runCodecJob(job: Job): Promise<Coded> {
  const { round, describe } = await works[job](sampleEvents());
  for (let warmUp = 0; warmUp < WARM_UP_ROUNDS; warmUp++) round();
  let [events, sum] = [0, 0];
  const startedAtMs = performance.now();
  for (let number = 0; number < ROUNDS; number++) {
    const made = round();
    events += made.events;
    sum += made.sum;
  }
  const elapsedMs = performance.now() - startedAtMs;
  const hash = createHash('sha256');
  describe(hash);
  const digest = `${hash.digest('hex')} ${String(sum)}`;
  return { events, expected: ORDERS * EVENTS_PER_ORDER * ROUNDS, elapsedMs, digest };
}

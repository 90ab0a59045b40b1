/** The sides that run in this process: the log's own reader into the order projection, and rivals with the same fold. */
import { createHash, randomUUID } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { OrderEvent } from '@parley/contracts/events';
import { orderEvents } from '@parley/contracts/topics';
import { openKafkaLog } from '@parley/event-log';
import { foldOrder, orders, type OrderRow } from '@parley/projection-orders';
import avsc, { type Schema, type Type } from 'avsc';
import kafkajs, { type Kafka } from 'kafkajs';
import { pino } from 'pino';
import type { LogAddress } from './orders.ts';

/** What one replay came to. */
export interface Replayed {
  readonly events: number;
  /** From the call that connects until the last event is folded. */
  readonly elapsedMs: number;
  /** Of all threads of the process, from its start. */
  readonly cpuMs: number;
  readonly peakRssBytes: number;
  /** What the rows and all that belongs to them hold on to, after a collection of garbage. */
  readonly heldBytes: number;
  readonly rows: number;
  /** SHA-256 over all rows in the order of their keys. */
  readonly rowsDigest: string;
}

/** Bytes in use after a collection of garbage. */
function usedBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void; // what the flag exposes
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

interface Start {
  readonly atMs: number;
  readonly usedBytes: number;
}

/** Begins the time, and remembers what is in use before anything is read. */
export const startMeasuring = (): Start => {
  const used = usedBytes();
  return { usedBytes: used, atMs: performance.now() };
};

/** What was measured since `started`, and the digest of the rows. */
export function replayed(events: number, started: Start, rows: () => readonly OrderRow[]): Replayed {
  const elapsedMs = performance.now() - started.atMs;
  // Taken before the rows are sorted and hashed.
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const heldBytes = usedBytes() - started.usedBytes;
  const all = rows();
  const hash = createHash('sha256');
  for (const row of all) hash.update(JSON.stringify(row));
  return {
    events,
    elapsedMs,
    cpuMs: (userCPUTime + systemCPUTime) / 1000,
    peakRssBytes: maxRSS * 1024,
    heldBytes,
    rows: all.length,
    rowsDigest: hash.digest('hex'),
  };
}

/** The order projection through the event log, arbitration and indexes included. */
export async function replayThroughLog(address: LogAddress): Promise<Replayed> {
  const logger = pino({ level: 'error' }, pino.destination(2));
  const log = openKafkaLog({ service: 'bench', clientId: 'bench-replay', ...address, logger });
  try {
    const view = log.project(orders);
    const started = startMeasuring();
    await log.start();
    return replayed(view.progress().accepted, started, () => view.list({ limit: view.size }));
  } finally {
    await log.close();
  }
}

interface Decoder {
  readonly type: OrderEvent['type'];
  readonly avro: Type;
}

/** The order events' schemas by registry id. */
export async function decodersFrom(registryUrl: string): Promise<ReadonlyMap<number, Decoder>> {
  const decoders = new Map<number, Decoder>();
  for (const type of Object.keys(orderEvents.schemas) as OrderEvent['type'][]) {
    const response = await fetch(`${registryUrl}/subjects/parley.order.${type}/versions/latest`);
    if (!response.ok) throw new Error(`the registry answered ${response.status} for ${type}`);
    const { id, schema } = (await response.json()) as { readonly id: number; readonly schema: string };
    decoders.set(id, { type, avro: avsc.Type.forSchema(JSON.parse(schema) as Schema) });
  }
  return decoders;
}

function decode(decoders: ReadonlyMap<number, Decoder>, value: Buffer | null): OrderEvent {
  const decoder = value === null ? undefined : decoders.get(value.readUInt32BE(1));
  if (value === null || decoder === undefined) throw new Error('not an order event');
  const { value: data } = decoder.avro.decode(value, 5) as { value: object };
  return { type: decoder.type, data } as OrderEvent; // bytes become an event here
}

/** The projection's fold into a map, of records as any client gives them. */
export function foldInto(decoders: ReadonlyMap<number, Decoder>): {
  readonly fold: (record: { readonly value: Buffer | null }) => void;
  readonly sorted: () => readonly OrderRow[];
} {
  const rows = new Map<string, OrderRow>();
  return {
    fold: ({ value }) => {
      const event = decode(decoders, value);
      const { orderId } = event.data;
      const row = foldOrder(rows.get(orderId), { event });
      if (row !== undefined) rows.set(orderId, row);
    },
    sorted: () => [...rows.values()].sort((a, b) => (a.orderId < b.orderId ? -1 : 1)),
  };
}

async function endOffsets(kafka: Kafka): Promise<readonly number[]> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const ends: number[] = [];
    for (const { partition, high } of await admin.fetchTopicOffsets(orderEvents.name))
      ends[partition] = Number(high);
    return ends;
  } finally {
    await admin.disconnect();
  }
}

/** kafkajs `eachBatch`, avsc and the projection's fold into a map, with the fetch sizes of the event log. */
export async function replayBare({ bootstrap, registryUrl }: LogAddress): Promise<Replayed> {
  const kafka = new kafkajs.Kafka({ brokers: bootstrap.split(','), logLevel: kafkajs.logLevel.NOTHING });
  const started = startMeasuring();
  const decoders = await decodersFrom(registryUrl);
  const ends = await endOffsets(kafka);
  const expected = ends.reduce((sum, end) => sum + end, 0);
  const consumer = kafka.consumer({
    groupId: `bench-${randomUUID()}`,
    minBytes: 1,
    maxWaitTimeInMs: 500,
    maxBytesPerPartition: 1_048_576,
    maxBytes: 16_777_216,
  });
  const { fold, sorted } = foldInto(decoders);
  const done = Promise.withResolvers<undefined>();
  let events = 0;
  await consumer.connect();
  try {
    await consumer.subscribe({ topic: orderEvents.name, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: ends.length,
      eachBatch: ({ batch }) => {
        for (const message of batch.messages) fold(message);
        events += batch.messages.length;
        if (events >= expected) done.resolve(undefined);
        return Promise.resolve();
      },
    });
    await done.promise;
    return replayed(events, started, sorted);
  } finally {
    await consumer.disconnect();
  }
}

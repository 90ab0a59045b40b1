/** The two sides: the log's own reader into the order projection, and bare kafkajs with the same fold. */
import { createHash, randomUUID } from 'node:crypto';
import type { OrderEvent } from '@parley/contracts/events';
import { orderEvents } from '@parley/contracts/topics';
import { openKafkaLog } from '@parley/event-log';
import { foldOrder, orders, type OrderRow } from '@parley/projection-orders';
import avsc, { type Schema, type Type } from 'avsc';
import kafkajs, { type Kafka, type KafkaMessage } from 'kafkajs';
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
  readonly rows: number;
  /** SHA-256 over all rows in the order of their keys. */
  readonly rowsDigest: string;
}

function replayed(events: number, startedAtMs: number, rows: () => readonly OrderRow[]): Replayed {
  const elapsedMs = performance.now() - startedAtMs;
  // Taken before the rows are sorted and hashed.
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const all = rows();
  const hash = createHash('sha256');
  for (const row of all) hash.update(JSON.stringify(row));
  return {
    events,
    elapsedMs,
    cpuMs: (userCPUTime + systemCPUTime) / 1000,
    peakRssBytes: maxRSS * 1024,
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
    const startedAtMs = performance.now();
    await log.start();
    return replayed(view.progress().accepted, startedAtMs, () => view.list({ limit: view.size }));
  } finally {
    await log.close();
  }
}

interface Decoder {
  readonly type: OrderEvent['type'];
  readonly avro: Type;
}

/** The order events' schemas by registry id. */
async function decodersFrom(registryUrl: string): Promise<ReadonlyMap<number, Decoder>> {
  const decoders = new Map<number, Decoder>();
  for (const type of Object.keys(orderEvents.schemas) as OrderEvent['type'][]) {
    const response = await fetch(`${registryUrl}/subjects/parley.order.${type}/versions/latest`);
    if (!response.ok) throw new Error(`the registry answered ${response.status} for ${type}`);
    const { id, schema } = (await response.json()) as { readonly id: number; readonly schema: string };
    decoders.set(id, { type, avro: avsc.Type.forSchema(JSON.parse(schema) as Schema) });
  }
  return decoders;
}

function decode(decoders: ReadonlyMap<number, Decoder>, { value }: KafkaMessage): OrderEvent {
  const decoder = value === null ? undefined : decoders.get(value.readUInt32BE(1));
  if (value === null || decoder === undefined) throw new Error('not an order event');
  const { value: data } = decoder.avro.decode(value, 5) as { value: object };
  return { type: decoder.type, data } as OrderEvent; // bytes become an event here
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
  const kafka = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING });
  const startedAtMs = performance.now();
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
  const rows = new Map<string, OrderRow>();
  const done = Promise.withResolvers<undefined>();
  let events = 0;
  await consumer.connect();
  try {
    await consumer.subscribe({ topic: orderEvents.name, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: ends.length,
      eachBatch: ({ batch }) => {
        for (const message of batch.messages) {
          const event = decode(decoders, message);
          const { orderId } = event.data;
          const row = foldOrder(rows.get(orderId), { event });
          if (row !== undefined) rows.set(orderId, row);
        }
        events += batch.messages.length;
        if (events >= expected) done.resolve(undefined);
        return Promise.resolve();
      },
    });
    await done.promise;
    return replayed(events, startedAtMs, () =>
      [...rows.values()].sort((a, b) => (a.orderId < b.orderId ? -1 : 1)),
    );
  } finally {
    await consumer.disconnect();
  }
}

/** A log with everything in it that can happen to a record, written through the event log and past it. */
import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import type { OrderEvent, PaymentEvent } from '@parley/contracts/events';
import { orderEvents, paymentEvents } from '@parley/contracts/topics';
import { openKafkaLog, type Commit, type EventLog, type View } from '@parley/event-log';
import { kafkaClient, partitionOf } from '@parley/event-log/tools';
import { orders, type OrderRow } from '@parley/projection-orders';
import { payments } from '@parley/projection-payments';
import type { Message } from 'kafkajs';
import { pino } from 'pino';

const logger = pino({ level: 'silent' });
const WAIT_MS_MAX = 120_000;
const atMs = Date.parse('2026-01-01T00:00:00Z');

/** A schema id that the registry of this log does not know. */
export const UNKNOWN_SCHEMA_ID = 24;

export interface Addresses {
  readonly bootstrap: string;
  readonly registryUrl: string;
}

export interface RecordedLog {
  readonly log: EventLog;
  readonly view: View<OrderRow>;
  /** Its life: created, payment started, paid. Two losers and a copy lie behind it. */
  readonly orderId: string;
  readonly correlationId: string;
  readonly otherOrderIds: readonly string[];
  readonly commits: {
    readonly created: string;
    readonly started: string;
    readonly paid: string;
    /** Decided on an empty stream, as `created` was. */
    readonly loser: string;
    /** Decided on what `loser` would have made. */
    readonly chained: string;
  };
  readonly conflicts: number;
  readonly duplicates: number;
  readonly badRecords: number;
  /** Appends the creation of one more order; answers its stream. */
  createOrder(correlationId: string): Promise<string>;
  close(): Promise<void>;
}

const created = (orderId: string): OrderEvent => ({
  type: 'OrderCreated',
  data: {
    orderId,
    customerId: 'alice',
    productId: 'alder-tent',
    quantity: 2,
    createdAt: atMs,
    channel: 'WEB',
    dispatchBy: atMs + 1,
  },
});
const started = (orderId: string): OrderEvent => ({
  type: 'PaymentStarted',
  data: {
    orderId,
    unitPriceMinor: 600,
    amountMinor: 1200,
    currency: 'EUR',
    reservedUntil: atMs + 60_000,
    startedAt: atMs + 1,
  },
});
const paid = (orderId: string): OrderEvent => ({
  type: 'OrderPaid',
  data: { orderId, paymentId: randomUUID(), paidAt: atMs + 2 },
});
const paymentOf = (orderId: string): readonly PaymentEvent[] => {
  const due = { paymentId: randomUUID(), orderId, customerId: 'alice', amountMinor: 1200, currency: 'EUR' };
  return [
    { type: 'PaymentInitiated', data: { ...due, initiatedAt: atMs + 1 } },
    { type: 'PaymentCompleted', data: { ...due, completedAt: atMs + 2 } },
  ];
};

/** A commit header as it is on the wire. */
function commitHeader(index: number, size: number): Buffer {
  const bytes = Buffer.alloc(40);
  bytes.write(randomUUID().replaceAll('-', ''), 0, 'hex');
  bytes.writeUInt16BE(index, 36);
  bytes.writeUInt16BE(size, 38);
  return bytes;
}

const wire = (schemaId: number, body: readonly number[] = [1, 2, 3]): Buffer => {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(schemaId, 1);
  return Buffer.concat([prefix, Buffer.from(body)]);
};

/** Records that no reader can read, each in its own way; and one of a commit that is never completed. */
const badRecords = (key: string): readonly Omit<Message, 'partition'>[] => {
  const headers = (index = 0, size = 1) => ({ 'parley-commit': commitHeader(index, size) });
  return [
    { key, value: null, headers: headers() },
    { key, value: Buffer.from([7, 0, 0, 0, 1, 1]), headers: headers() },
    { key, value: wire(UNKNOWN_SCHEMA_ID), headers: headers() },
    { key, value: wire(1, [255]), headers: headers() },
    { key, value: wire(1), headers: {} },
    { key: null, value: wire(1), headers: { ...headers(), twice: ['a', 'b'] } },
  ];
};

/** Writes it and waits until the live view has folded all of it. */
export async function recordLog(addresses: Addresses): Promise<RecordedLog> {
  const log = openKafkaLog({
    service: 'order',
    clientId: 'recorded',
    logger,
    limits: { echoDeadlineMs: WAIT_MS_MAX },
    ...addresses,
  });
  const streams = log.aggregate({
    name: 'order',
    topic: orderEvents,
    initial: 0,
    evolve: (count) => count + 1,
  });
  const paying = log.aggregate({
    name: 'payment',
    topic: paymentEvents,
    initial: 0,
    evolve: (count) => count + 1,
  });
  const view = log.project(orders);
  log.project(payments);
  await log.start();
  const correlationId = randomUUID();
  const metadata = { correlationId };
  const orderId = randomUUID();
  const streamId = `order-${orderId}`;
  const append = async (
    commit: Omit<Commit<OrderEvent>, 'streamId' | 'metadata'>,
    expected: string,
  ): Promise<void> => {
    const outcome = await streams.append({ streamId, metadata, ...commit });
    if (outcome.kind !== expected) throw new Error(`${outcome.kind} instead of ${expected}`);
  };
  const [ids, loser, chained] = [[randomUUID(), randomUUID(), randomUUID()], randomUUID(), randomUUID()];
  const [first = '', second = '', third = ''] = ids;
  await append(
    { commitId: first, baseVersion: 0, previousCommitId: undefined, events: [created(orderId)] },
    'accepted',
  );
  await append(
    { commitId: loser, baseVersion: 0, previousCommitId: undefined, events: [created(orderId)] },
    'conflict',
  );
  await append(
    { commitId: chained, baseVersion: 1, previousCommitId: loser, events: [started(orderId)] },
    'conflict',
  );
  await append(
    { commitId: second, baseVersion: 1, previousCommitId: first, events: [started(orderId)] },
    'accepted',
  );
  await append(
    { commitId: third, baseVersion: 2, previousCommitId: second, events: [paid(orderId)] },
    'accepted',
  );
  await paying.append({
    streamId: `payment-${orderId}`,
    commitId: randomUUID(),
    baseVersion: 0,
    previousCommitId: undefined,
    events: paymentOf(orderId),
    metadata: { correlationId, causationId: second },
  });
  const otherOrderIds = Array.from({ length: 30 }, () => randomUUID());
  for (const other of otherOrderIds)
    await streams.append({
      streamId: `order-${other}`,
      commitId: randomUUID(),
      baseVersion: 0,
      previousCommitId: undefined,
      events: [created(other), started(other)],
      metadata: { correlationId: randomUUID() },
    });
  const partition = partitionOf(streamId, orderEvents.partitions);
  const bad = badRecords(streamId);
  await writePast(addresses, partition, [
    ...bad.map((message) => ({ ...message, partition })),
    { partition, key: streamId, value: wire(1), headers: { 'parley-commit': commitHeader(0, 2) } },
  ]);
  // Behind everything else: what was appended through the log is folded already.
  const last = { topic: orderEvents.name, partition, offset: await copyFirst(addresses, partition) };
  if ((await log.waitFor(last, { deadlineMs: WAIT_MS_MAX })) !== 'reached')
    throw new Error(`the view does not reach ${JSON.stringify(last)}`);
  return {
    log,
    view,
    orderId,
    correlationId,
    otherOrderIds,
    commits: { created: first, started: second, paid: third, loser, chained },
    conflicts: 2,
    duplicates: 1,
    badRecords: bad.length + 1,
    createOrder: async (ofCorrelationId) => {
      const another = randomUUID();
      const commit = {
        streamId: `order-${another}`,
        commitId: randomUUID(),
        baseVersion: 0,
        previousCommitId: undefined,
        events: [created(another)],
        metadata: { correlationId: ofCorrelationId },
      };
      const { kind } = await streams.append(commit);
      if (kind !== 'accepted') throw new Error(`${kind} instead of accepted`);
      return commit.streamId;
    },
    close: () => log.close(),
  };
}

/** As a stranger would write: any bytes. Answers the offset of the first. */
async function writePast({ bootstrap }: Addresses, partition: number, messages: Message[]): Promise<number> {
  const producer = kafkaClient({ clientId: 'stranger', bootstrap, logger }).producer({
    allowAutoTopicCreation: false,
  });
  await producer.connect();
  const [written] = await producer.send({
    topic: orderEvents.name,
    messages: messages.map((message) => ({ ...message, partition })),
  });
  await producer.disconnect();
  return Number(written?.baseOffset);
}

/** Writes the first record of a partition once more, as a sender that lost its acknowledgement does. Answers the copy's offset. */
async function copyFirst(addresses: Addresses, partition: number): Promise<number> {
  const consumer = kafkaClient({ clientId: 'copier', bootstrap: addresses.bootstrap, logger }).consumer({
    groupId: `copier-${randomUUID()}`,
  });
  const first = Promise.withResolvers<Message>();
  await consumer.connect();
  await consumer.subscribe({ topic: orderEvents.name, fromBeginning: true });
  await consumer.run({
    eachMessage: ({ partition: of, message }) => {
      const { key, value, headers = {} } = message;
      if (of === partition && message.offset === '0') first.resolve({ key, value, headers });
      return Promise.resolve();
    },
  });
  const copy = await first.promise;
  await consumer.disconnect();
  return writePast(addresses, partition, [copy]);
}

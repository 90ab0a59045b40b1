import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OrderEvent, ProductEvent } from '@parley/contracts/events';
import { orderEvents, productEvents } from '@parley/contracts/topics';
import {
  createMemoryBroker,
  LogFileWriter,
  openMemoryLog,
  type DomainEvent,
  type EventTopic,
} from '@parley/event-log';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { importLog } from './import.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-import-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Nothing listens there: whatever is refused was refused before anything was written. */
const nowhere = {
  bootstrap: '127.0.0.1:1',
  registryUrl: 'http://127.0.0.1:1',
  logger: pino({ level: 'silent' }),
};
const silent = { human: false, print: () => undefined, json: () => undefined, progress: () => undefined };
const running = { output: silent, signal: new AbortController().signal };

/** A log file with this one event, accepted, recorded at that time. */
async function fileOf<E extends DomainEvent>(
  topic: EventTopic<E>,
  event: E,
  timestampMs = 1_700_000_000_000,
): Promise<string> {
  const broker = createMemoryBroker();
  const log = openMemoryLog({ broker });
  const streams = log.aggregate({ name: 'any', topic, initial: 0, evolve: (count) => count + 1 });
  await log.start();
  const outcome = await streams.append({
    streamId: 's-1',
    commitId: '00000000-0000-4000-8000-000000000001',
    baseVersion: 0,
    previousCommitId: undefined,
    events: [event],
    metadata: { correlationId: 'test' },
  });
  if (outcome.kind !== 'accepted') throw new Error(outcome.kind);
  const schemas: Record<string, object> = {};
  for (let id = 1; ; id++) {
    const schema = await broker.schemas.fetch(id);
    if (schema === undefined) break;
    schemas[id] = schema;
  }
  const path = join(folder, `${event.type}-${String(timestampMs)}.ndjson`);
  const writer = await LogFileWriter.create(path, {
    createdAt: '2026-01-01T00:00:00.000Z',
    note: '',
    topics: { [topic.name]: { partitions: topic.partitions } },
    schemas,
  });
  for (let partition = 0; partition < topic.partitions; partition++)
    await writer.write(
      topic.name,
      partition,
      broker.records(topic.name, partition).map((record) => ({ ...record, timestamp: String(timestampMs) })),
    );
  await writer.finish();
  await log.close();
  return path;
}

const created = (createdAt: number): OrderEvent => ({
  type: 'OrderCreated',
  data: {
    orderId: '00000000-0000-4000-8000-000000000001',
    customerId: 'alice',
    productId: 'cup',
    quantity: 1,
    createdAt,
    channel: 'WEB',
    dispatchBy: 1,
  },
});
const added: ProductEvent = {
  type: 'ProductAdded',
  data: {
    productId: 'yacht',
    name: 'Yacht',
    description: 'A yacht',
    category: 'boats',
    priceMinor: 2_500_000_000,
    currency: 'EUR',
    addedAt: 1,
  },
};

describe('an import is refused before anything is written', () => {
  it('when a price is more than GraphQL can carry, naming event and field', async () => {
    const refused = importLog(await fileOf(productEvents, added), nowhere, running);
    await expect(refused).rejects.toThrow(
      /product\.events\/\d@0: ProductAdded\.priceMinor .* Nothing was imported/,
    );
    await expect(refused).rejects.toMatchObject({ exitCode: 1 });
  });

  it('when a time is beyond what can be written, naming event and field', async () => {
    const file = await fileOf(orderEvents, created(8.64e15 + 1));
    await expect(importLog(file, nowhere, running)).rejects.toThrow('OrderCreated.createdAt');
  });

  it('when a record is from further ahead than the broker takes', async () => {
    const file = await fileOf(orderEvents, created(1), Date.now() + 7_200_000);
    await expect(importLog(file, nowhere, running)).rejects.toThrow('ahead of this machine');
  });
});

/**
 * One process of the compatibility test: `node peer.ts <produce|consume> <release|today> <bootstrap> <registry> <order id>`.
 * Appends one OrderCreated with the schemas of a release, or reads it with them and prints it as one JSON line.
 */
import { resolve } from 'node:path';
import { orderEvents } from '@parley/contracts/topics';
import { deriveId, openKafkaLog, type DomainEvent, type EventTopic } from '@parley/event-log';
import { pino } from 'pino';
import { readReleases } from '../src/released.ts';

const DEADLINE_MS = 240_000;
const [role, version, bootstrap, registryUrl, orderId] = process.argv.slice(2);
if (bootstrap === undefined || registryUrl === undefined || orderId === undefined)
  throw new Error('usage: peer.ts <produce|consume> <release|today> <bootstrap> <registry> <order id>');

/** The topic as a release declared it: its frozen schemas, and no upcaster that came later. */
function topicOf(release: string): EventTopic<DomainEvent> {
  if (release === 'today') return orderEvents;
  const contractsDir = resolve(import.meta.dirname, '../../../contracts');
  const found = readReleases(contractsDir).find((one) => one.version === release);
  if (found === undefined) throw new Error(`there is no release ${release}`);
  const { name, partitions } = orderEvents;
  const schemas = [...found.contracts.events.values()].filter(
    ({ namespace }) => namespace === 'parley.order',
  );
  return {
    name,
    partitions,
    schemas: Object.fromEntries(schemas.map((schema) => [String(schema.name), schema])),
  };
}

const topic = topicOf(version ?? 'today');
const log = openKafkaLog({
  service: 'peer',
  clientId: `peer-${version ?? ''}`,
  bootstrap,
  registryUrl,
  logger: pino({ level: 'warn' }, pino.destination(2)),
});
const streamId = `order-${orderId}`;

if (role === 'produce') {
  const orders = log.aggregate<undefined, DomainEvent>({
    name: 'order',
    topic,
    initial: undefined,
    evolve: () => undefined,
  });
  await log.start();
  const v1 = { orderId, customerId: 'alice', productId: 'cup', quantity: 2, createdAt: 1_700_000_000_000 };
  const data = version === 'today' ? { ...v1, channel: 'MOBILE', dispatchBy: 1_700_000_000_001 } : v1;
  const commitId = deriveId('peer', orderId);
  const commit = {
    commitId,
    streamId,
    baseVersion: 0,
    previousCommitId: undefined,
    events: [{ type: 'OrderCreated', data }],
    metadata: { correlationId: commitId },
  };
  const outcome = await orders.append(commit, { deadlineMs: DEADLINE_MS });
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
} else {
  const view = log.project<{ readonly data: object }, DomainEvent>({
    name: 'seen',
    topic,
    fold: (_row, { event }) => ({ data: event.data }),
  });
  await log.start({ signal: AbortSignal.timeout(DEADLINE_MS) });
  process.stdout.write(`${JSON.stringify(view.get(streamId)?.data ?? null)}\n`);
}
await log.close();

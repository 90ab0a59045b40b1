/**
 * The rival of the append benchmark: a plain kafkajs producer in a process of its own, where nothing of the event log
 * touches kafkajs. Does what a message asks and answers with a message; ends when its parent disconnects.
 */
import kafkajs, { type Message } from 'kafkajs';
import { withInFlight } from '../in-flight.ts';
import type { Measured } from '../pairs.ts';
import { medianMs, rate } from './figures.ts';
import { PARTITIONS, plainMessage } from './plain-message.ts';

/** What the parent may ask for. */
export type PlainJob =
  | { readonly kind: 'batches'; readonly count: number; readonly size: number }
  | { readonly kind: 'concurrent'; readonly count: number; readonly inFlight: number }
  | { readonly kind: 'one-at-a-time'; readonly count: number };
/** What it hears; the first message says that the producer is connected. */
export type PlainAnswer =
  { readonly ready: true } | { readonly measured: Measured } | { readonly error: string };

const TOPIC = 'parley.bench.plain';
const kafka = new kafkajs.Kafka({
  brokers: process.argv.slice(2),
  logLevel: kafkajs.logLevel.NOTHING,
});
const producer = kafka.producer({
  createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  allowAutoTopicCreation: false,
});

async function send(messages: Message[]): Promise<boolean> {
  await producer.send({ topic: TOPIC, acks: -1, messages });
  return true;
}

async function batches(count: number, size: number): Promise<number> {
  for (let sent = 0; sent < count; sent += size)
    await send(Array.from({ length: Math.min(size, count - sent) }, (_, i) => plainMessage(sent + i)));
  return count;
}

function run(job: PlainJob): Promise<Measured> {
  switch (job.kind) {
    case 'batches':
      return rate(job.count, () => batches(job.count, job.size));
    case 'concurrent':
      return rate(job.count, () => withInFlight(job.count, job.inFlight, (i) => send([plainMessage(i)])));
    case 'one-at-a-time':
      return medianMs(job.count, () => send([plainMessage(0)]));
  }
}

const answer = (what: PlainAnswer): void => {
  process.send?.(what);
};
process.on('disconnect', () => process.exit());
process.on('message', (job: PlainJob) => {
  run(job).then(
    (measured) => {
      answer({ measured });
    },
    (error: unknown) => {
      answer({ error: error instanceof Error ? error.message : String(error) });
    },
  );
});

const admin = kafka.admin();
await admin.connect();
await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: PARTITIONS }], waitForLeaders: true });
await admin.disconnect();
await producer.connect();
answer({ ready: true });

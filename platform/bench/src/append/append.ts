/**
 * `bench append`: appends acknowledged by echo against plain kafkajs on the same broker, topic shape and record size.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { logHeaders, openKafkaLog, type Aggregates } from '@parley/event-log';
import { startTestEngines } from '@parley/engines/testing';
import kafkajs, { type Message, type Producer } from 'kafkajs';
import { pino } from 'pino';
import { untilAborted, type BenchContext } from './context.ts';
import { withInFlight } from './in-flight.ts';
import { describe, runClaim, spread, type Claim, type ClaimResult, type Measured } from './pairs.ts';
import { tick, tickAggregate, tickTopic, type Ticked } from './ticks.ts';

const metadata = { correlationId: 'bench' };
const PARTITIONS = 4;
/** As large as an Avro tick with its wire prefix. */
const VALUE = randomBytes(50);
const COMMIT = randomBytes(40);

/** The record that an append of a tick makes, as a plain producer would write it: same key, headers and sizes. */
function plainMessage(index: number): Message {
  const streamId = `tick-${randomUUID()}`;
  return {
    key: streamId,
    value: VALUE,
    partition: index % PARTITIONS,
    headers: {
      [logHeaders.specVersion]: '1.0',
      [logHeaders.source]: '/parley/bench',
      [logHeaders.time]: new Date().toISOString(),
      [logHeaders.subject]: streamId,
      [logHeaders.correlationId]: metadata.correlationId,
      [logHeaders.id]: randomUUID(),
      [logHeaders.type]: 'Ticked',
      [logHeaders.commit]: COMMIT,
    },
  };
}

async function rate(count: number, run: () => Promise<number>): Promise<Measured> {
  const started = performance.now();
  const done = await run();
  return { figure: done / ((performance.now() - started) / 1000), count: done, expected: count };
}

async function medianMs(count: number, run: () => Promise<boolean>): Promise<Measured> {
  const latencies: number[] = [];
  for (let i = 0; i < count; i++) {
    const started = performance.now();
    if (await run()) latencies.push(performance.now() - started);
  }
  return { figure: spread(latencies).median, count: latencies.length, expected: count };
}

class Sides {
  readonly #ticks: Aggregates<number, Ticked>;
  readonly #producer: Producer;
  readonly #plainTopic: string;

  constructor(ticks: Aggregates<number, Ticked>, producer: Producer, plainTopic: string) {
    this.#ticks = ticks;
    this.#producer = producer;
    this.#plainTopic = plainTopic;
  }

  /** One append on a stream that no other append uses. */
  async appendDistinct(index: number): Promise<boolean> {
    return this.#execute(`tick-${randomUUID()}`, index);
  }

  async #execute(streamId: string, index: number): Promise<boolean> {
    const outcome = await this.#ticks.execute({
      streamId,
      commandId: randomUUID(),
      decide: () => ({ kind: 'events', events: [tick(index)] }),
      metadata,
      deadlineMs: 30_000,
    });
    return outcome.kind === 'accepted';
  }

  /** One append on the hot stream of this pair. */
  hot(streamId: string): (index: number) => Promise<boolean> {
    return (index) => this.#execute(streamId, index);
  }

  async plainSend(index: number): Promise<boolean> {
    await this.#producer.send({ topic: this.#plainTopic, acks: -1, messages: [plainMessage(index)] });
    return true;
  }

  async plainBatches(count: number, size: number): Promise<number> {
    let sent = 0;
    while (sent < count) {
      const messages = Array.from({ length: Math.min(size, count - sent) }, (_, i) => plainMessage(sent + i));
      await this.#producer.send({ topic: this.#plainTopic, acks: -1, messages });
      sent += messages.length;
    }
    return sent;
  }
}

function claims(sides: Sides): Claim[] {
  return [
    {
      title: 'Appends with 1,000 in flight against a plain loop of batches of 100',
      unit: '/s',
      bound: { atLeast: 0.8 },
      a: {
        name: 'append',
        run: () => rate(20_000, () => withInFlight(20_000, 1000, (i) => sides.appendDistinct(i))),
      },
      b: { name: 'plain batches', run: () => rate(20_000, () => sides.plainBatches(20_000, 100)) },
    },
    {
      title: 'Appends with 100 in flight against 100 concurrent plain sends',
      unit: '/s',
      bound: { atLeast: 4 },
      a: {
        name: 'append',
        run: () => rate(5000, () => withInFlight(5000, 100, (i) => sides.appendDistinct(i))),
      },
      b: {
        name: 'plain sends',
        run: () => rate(5000, () => withInFlight(5000, 100, (i) => sides.plainSend(i))),
      },
    },
    {
      title: 'One append at a time against one plain awaited send at a time (p50)',
      unit: 'ms',
      bound: { atMost: 3 },
      a: { name: 'append', run: () => medianMs(500, () => sides.appendDistinct(0)) },
      b: { name: 'plain send', run: () => medianMs(500, () => sides.plainSend(0)) },
    },
    {
      title: 'One hot stream: 100 in flight against one at a time',
      unit: '/s',
      bound: { atLeast: 10 },
      a: {
        name: '100 in flight',
        run: () => rate(5000, () => withInFlight(5000, 100, sides.hot(`hot-${randomUUID()}`))),
      },
      b: {
        name: 'one at a time',
        run: () => rate(300, () => withInFlight(300, 1, sides.hot(`hot-${randomUUID()}`))),
      },
    },
  ];
}

async function measure(
  { bootstrap, registryUrl }: { readonly bootstrap: string; readonly registryUrl: string },
  context: BenchContext,
): Promise<ClaimResult[]> {
  const { print } = context;
  const logger = pino({ level: 'error' }, pino.destination(2));
  const log = openKafkaLog({ service: 'bench', clientId: 'bench', bootstrap, registryUrl, logger });
  const kafka = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING });
  const producer = kafka.producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
  });
  try {
    const ticks = log.aggregate(tickAggregate(tickTopic('parley.bench.events')));
    await log.start({ signal: context.signal });
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({
      topics: [{ topic: 'parley.bench.plain', numPartitions: PARTITIONS }],
      waitForLeaders: true,
    });
    await admin.disconnect();
    await producer.connect();
    const results: ClaimResult[] = [];
    for (const claim of claims(new Sides(ticks, producer, 'parley.bench.plain'))) {
      print(claim.title);
      const result = await runClaim(claim, context);
      print(describe(result));
      results.push(result);
    }
    return results;
  } finally {
    await producer.disconnect();
    await log.close({ deadlineMs: 1000 });
  }
}

/** Starts engines of its own, measures each claim, stops them. */
export async function benchAppend(context: BenchContext): Promise<ClaimResult[]> {
  context.print('starting Kafka and the registry');
  const engines = await startTestEngines({ only: ['kafka', 'registry'] });
  try {
    return await untilAborted(context.signal, measure(engines, context));
  } finally {
    await engines.stop();
  }
}

/**
 * `bench append`: appends acknowledged by echo against plain kafkajs on the same broker, topic shape and records.
 */
import { randomUUID } from 'node:crypto';
import { startTestEngines } from '@parley/engines/testing';
import { openKafkaLog, type Aggregates } from '@parley/event-log';
import { pino } from 'pino';
import { untilAborted, type BenchContext } from '../context.ts';
import { withInFlight } from '../in-flight.ts';
import { describe, runClaim, type Claim, type ClaimResult, type Side } from '../pairs.ts';
import { tick, tickAggregate, tickTopic, type Ticked } from '../ticks.ts';
import { medianMs, rate } from './figures.ts';
import { startPlain, type PlainProducer } from './plain.ts';
import type { PlainJob } from './plain-process.ts';

const metadata = { correlationId: 'bench' };
/** With fewer, a run at this pace ends before it has lasted a second, and measures how it began. */
const MANY = 20_000;
const FEW = 500;

class Appends {
  readonly #ticks: Aggregates<number, Ticked>;

  constructor(ticks: Aggregates<number, Ticked>) {
    this.#ticks = ticks;
  }

  /** One append on a stream that no other append uses. */
  distinct(index: number): Promise<boolean> {
    return this.#execute(`tick-${randomUUID()}`, index);
  }

  /** Appends on one stream. */
  hot(streamId: string): (index: number) => Promise<boolean> {
    return (index) => this.#execute(streamId, index);
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
}

function claims(appends: Appends, producer: PlainProducer): Claim[] {
  const distinct = (count: number, inFlight: number): Side => ({
    name: 'append',
    run: () => rate(count, () => withInFlight(count, inFlight, (i) => appends.distinct(i))),
  });
  const hot = (name: string, count: number, inFlight: number): Side => ({
    name,
    run: () => rate(count, () => withInFlight(count, inFlight, appends.hot(`hot-${randomUUID()}`))),
  });
  const plain = (name: string, job: PlainJob): Side => ({ name, run: () => producer.run(job) });
  return [
    {
      title: 'Appends with 1,000 in flight against a plain loop of batches of 100',
      unit: '/s',
      bound: { atLeast: 0.8 },
      a: distinct(MANY, 1000),
      b: plain('plain batches', { kind: 'batches', count: MANY, size: 100 }),
    },
    {
      title: 'Appends with 100 in flight against 100 concurrent plain sends',
      unit: '/s',
      bound: { atLeast: 4 },
      a: distinct(MANY, 100),
      b: plain('plain sends', { kind: 'concurrent', count: MANY, inFlight: 100 }),
    },
    {
      title: 'One append at a time against one plain awaited send at a time (p50)',
      unit: 'ms',
      bound: { atMost: 3 },
      a: { name: 'append', run: () => medianMs(FEW, () => appends.distinct(0)) },
      b: plain('plain send', { kind: 'one-at-a-time', count: FEW }),
    },
    {
      title: 'One hot stream: 100 in flight against one at a time',
      unit: '/s',
      bound: { atLeast: 10 },
      a: hot('100 in flight', MANY, 100),
      b: hot('one at a time', FEW, 1),
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
  const producer = await startPlain(bootstrap);
  try {
    const ticks = log.aggregate(tickAggregate(tickTopic('parley.bench.events')));
    await log.start({ signal: context.signal });
    const results: ClaimResult[] = [];
    for (const claim of claims(new Appends(ticks), producer)) {
      print(claim.title);
      const result = await runClaim(claim, context);
      print(describe(result));
      results.push(result);
    }
    return results;
  } finally {
    await producer.stop();
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

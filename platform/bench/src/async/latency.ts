/** How long an event or message is on its way through a broker, at a rate that leaves the brokers idle. */
import { randomUUID } from 'node:crypto';
import { done } from '@parley/delivery';
import { openKafkaLog } from '@parley/event-log';
import { openWorkQueue } from '@parley/work-queue';
import { pino } from 'pino';
import { openLoop } from '../flow/open-loop.ts';
import { tick, tickAggregate, tickTopic } from '../ticks.ts';
import { benchQueue, messageOf } from './message.ts';

const PER_SECOND = 50;
const COUNT = 1000;
/** Compiles and connects what every later one uses. */
const WARM_UP = 100;
const ARRIVES_MS_MAX = 30_000;
const logger = pino({ level: 'error' }, pino.destination(2));

/** When each of them arrived, by its id. */
class Arrivals {
  readonly #waiting = new Map<string, (atMs: number) => void>();

  /** Resolves with when it arrives. @throws Error when it does not within 30 s. */
  of(id: string): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const late = setTimeout(() => {
      reject(new Error(`${id} has not arrived within ${ARRIVES_MS_MAX} ms`));
    }, ARRIVES_MS_MAX);
    this.#waiting.set(id, (atMs) => {
      clearTimeout(late);
      resolve(atMs);
    });
    return promise;
  }

  arrived(id: string): void {
    this.#waiting.get(id)?.(performance.now());
    this.#waiting.delete(id);
  }
}

/** Runs the warm-up, then the events that count. */
async function measured<T>(
  signal: AbortSignal,
  operation: (index: number, dueAtMs: number) => Promise<T>,
): Promise<T[]> {
  await openLoop({ perSecond: PER_SECOND, count: WARM_UP, signal }, operation);
  return openLoop({ perSecond: PER_SECOND, count: COUNT, signal }, operation);
}

/** Milliseconds from when an event was due until another log's reaction is called with it: the record was acknowledged and read. */
export async function kafkaLatencies(
  { bootstrap, registryUrl }: { readonly bootstrap: string; readonly registryUrl: string },
  signal: AbortSignal,
): Promise<number[]> {
  const topic = tickTopic('parley.bench.latency');
  const open = (clientId: string) =>
    openKafkaLog({ service: 'bench', clientId, bootstrap, registryUrl, logger });
  const [publisher, consumer] = [open('bench-publisher'), open('bench-consumer')];
  const arrivals = new Arrivals();
  const ticks = publisher.aggregate(tickAggregate(topic));
  consumer.react({
    group: 'bench-latency',
    topic,
    handle: ({ streamId }) => {
      arrivals.arrived(streamId);
      return Promise.resolve(done);
    },
  });
  try {
    await publisher.start({ signal });
    await consumer.start({ signal });
    return await measured(signal, async (index, dueAtMs) => {
      const streamId = randomUUID();
      const arrival = arrivals.of(streamId);
      const decide = () => ({ kind: 'events' as const, events: [tick(index)] });
      const metadata = { correlationId: 'bench' };
      const appended = await ticks.execute({ streamId, commandId: randomUUID(), decide, metadata });
      if (appended.kind !== 'accepted') throw new Error(`an append was ${appended.kind}`);
      return (await arrival) - dueAtMs;
    });
  } finally {
    await Promise.all([publisher, consumer].map((log) => log.close({ deadlineMs: 1000 })));
  }
}

/** Milliseconds from when a message was due. */
export interface QueueLatencies {
  /** Until the broker has confirmed that it is stored. */
  readonly confirmed: number[];
  /** Until its consumer is done with it and acknowledges it. */
  readonly acknowledged: number[];
}

export async function rabbitmqLatencies(url: string, signal: AbortSignal): Promise<QueueLatencies> {
  const definition = benchQueue('bench.latency');
  const [publishing, consuming] = [
    openWorkQueue({ url, logger, name: 'bench-publisher' }),
    openWorkQueue({ url, logger, name: 'bench-consumer' }),
  ];
  const arrivals = new Arrivals();
  const publisher = publishing.publisher(definition);
  consuming.consume(definition, {
    handle: ({ messageId }) => {
      arrivals.arrived(messageId);
      return Promise.resolve(done); // the acknowledgement is written in the same turn of the event loop
    },
  });
  try {
    await Promise.all([publishing, consuming].map((queue) => queue.ready({ signal })));
    const latencies = await measured(signal, async (index, dueAtMs) => {
      const message = messageOf(index);
      const arrival = arrivals.of(message.messageId);
      await publisher.publish(message);
      const confirmedAtMs = performance.now();
      return { confirmed: confirmedAtMs - dueAtMs, acknowledged: (await arrival) - dueAtMs };
    });
    return {
      confirmed: latencies.map(({ confirmed }) => confirmed),
      acknowledged: latencies.map(({ acknowledged }) => acknowledged),
    };
  } finally {
    await Promise.all([publishing, consuming].map((queue) => queue.close({ deadlineMs: 1000 })));
  }
}

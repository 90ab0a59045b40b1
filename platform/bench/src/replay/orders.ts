/** Writes a log of orders as the order service leaves it, through the event log itself. */
import { randomBytes, randomUUID } from 'node:crypto';
import { propagation } from '@opentelemetry/api';
import type { OrderEvent } from '@parley/contracts/events';
import { orderEvents } from '@parley/contracts/topics';
import { openKafkaLog, type Aggregates } from '@parley/event-log';
import { pino } from 'pino';
import { withInFlight } from '../in-flight.ts';
import { EVENTS_PER_ORDER, eventsOf } from './order-events.ts';

const ORDERS_IN_FLIGHT = 4000;
const PROGRESS_EVERY_ORDERS = 50_000;

/** Where a log lies. */
export interface LogAddress {
  /** host:port */
  readonly bootstrap: string;
  readonly registryUrl: string;
}

/** The four commits of one order, each after the echo of the one before. True when all were accepted. */
async function recordOrder(orders: Aggregates<undefined, OrderEvent>, number: number): Promise<boolean> {
  const correlationId = randomUUID();
  let previousCommitId: string | undefined;
  for (const [baseVersion, event] of eventsOf(number).entries()) {
    const commit = {
      commitId: randomUUID(),
      streamId: `order-${event.data.orderId}`,
      baseVersion,
      previousCommitId,
      events: [event],
      metadata: { correlationId, ...(previousCommitId === undefined ? {} : { causationId: randomUUID() }) },
    };
    const outcome = await orders.append(commit, { deadlineMs: 60_000 });
    if (outcome.kind !== 'accepted') return false;
    previousCommitId = commit.commitId;
  }
  return true;
}

/** A trace context on every record, as behind a request, without the spans. */
function propagateTraces(): void {
  propagation.setGlobalPropagator({
    inject: (_context, carrier, setter) => {
      const ids = randomBytes(24).toString('hex');
      setter.set(carrier, 'traceparent', `00-${ids.slice(0, 32)}-${ids.slice(32)}-01`);
    },
    extract: (context) => context,
    fields: () => ['traceparent'],
  });
}

/**
 * Records `events` events (a multiple of 4) of orders that lie side by side, 4,000 at a time. Answers how many the
 * log accepted.
 */
export async function recordOrders(
  address: LogAddress,
  events: number,
  print: (line: string) => void,
): Promise<number> {
  propagateTraces();
  const logger = pino({ level: 'error' }, pino.destination(2));
  const log = openKafkaLog({ service: 'order', clientId: 'bench-recorder', ...address, logger });
  try {
    const orders = log.aggregate<undefined, OrderEvent>({
      name: 'order',
      topic: orderEvents,
      initial: undefined,
      evolve: () => undefined,
    });
    await log.start();
    const recorded = await withInFlight(events / EVENTS_PER_ORDER, ORDERS_IN_FLIGHT, async (number) => {
      const accepted = await recordOrder(orders, number);
      if ((number + 1) % PROGRESS_EVERY_ORDERS === 0)
        print(`  ${((number + 1) * EVENTS_PER_ORDER).toLocaleString('en-US')} events recorded`);
      return accepted;
    });
    return recorded * EVENTS_PER_ORDER;
  } finally {
    await log.close();
  }
}

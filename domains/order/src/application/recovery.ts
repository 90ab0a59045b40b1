import type { OrderEvent } from '@parley/contracts/events';
import { orderEvents } from '@parley/contracts/topics';
import type { ProjectionDefinition, View } from '@parley/event-log';
import type { Advance } from './advance.ts';

/** An order that this service still has to bring further. */
export interface UnfinishedRow {
  readonly orderId: string;
  readonly createdAtMs: number;
  readonly correlationId: string;
  /** W3C trace context of the request that placed it: what is done for it later belongs to the same trace. */
  readonly traceparent: string | undefined;
}

/** A row while an order is CREATED or PAYMENT_PENDING, none afterwards. */
export const unfinishedOrders: ProjectionDefinition<UnfinishedRow, OrderEvent> = {
  name: 'unfinished-orders',
  topic: orderEvents,
  key: ({ event }) => event.data.orderId,
  fold: (row, recorded) => {
    const { event } = recorded;
    switch (event.type) {
      case 'OrderCreated': {
        const { orderId, createdAt: createdAtMs } = event.data;
        const { correlationId, traceparent } = recorded;
        return { orderId, createdAtMs, correlationId, traceparent };
      }
      case 'PaymentStarted':
      case 'ShipmentUnmatched':
        return row;
      case 'OrderPaid':
      case 'OrderShipped':
      case 'OrderCancelled':
        return undefined;
    }
  },
  module: import.meta.url,
};

/** Orders younger than this are left to the request that placed them. */
const GRACE_MS = 2000;
/** Orders advanced in one sweep; the next sweep goes on behind them. */
const BATCH_MAX = 200;
const CONCURRENCY = 8;

/** Runs `fn` on behalf of the request that placed an order: its correlation id and trace reach whoever is called. */
export type OnBehalfOf = <T>(
  order: Pick<UnfinishedRow, 'correlationId' | 'traceparent'>,
  fn: () => Promise<T>,
) => Promise<T>;

/**
 * One sweep over what the log shows unfinished. Resolves to how many orders were settled. An order that throws is
 * reported and holds up no other; once the signal aborts no further order is begun.
 */
export const createRecovery = (deps: {
  readonly unfinished: Pick<View<UnfinishedRow>, 'list'>;
  readonly advance: Advance;
  readonly onBehalfOf: OnBehalfOf;
  readonly failed: (orderId: string, error: unknown) => void;
  /** Lets whoever else has something to do go first. An order that cannot be advanced costs time and waits for nothing. */
  readonly giveWay: () => Promise<void>;
  readonly now: () => number;
}): ((signal: AbortSignal) => Promise<number>) => {
  let after: string | undefined;
  return async (signal) => {
    const page = deps.unfinished.list({ limit: BATCH_MAX, ...(after === undefined ? {} : { after }) });
    after = page.length < BATCH_MAX ? undefined : page.at(-1)?.orderId;
    const due = page.filter(({ createdAtMs }) => deps.now() - createdAtMs >= GRACE_MS);
    let next = 0;
    let settled = 0;
    const worker = async (): Promise<void> => {
      for (let row = due[next++]; row !== undefined && !signal.aborted; row = due[next++]) {
        const { orderId, correlationId } = row;
        try {
          const advanced = await deps.onBehalfOf(row, () => deps.advance(orderId, { correlationId }));
          if (advanced.kind === 'settled') settled++;
        } catch (error) {
          deps.failed(orderId, error);
        }
        await deps.giveWay();
      }
    };
    await Promise.all(Array.from({ length: Math.min(CONCURRENCY, due.length) }, worker));
    return settled;
  };
};

import type { ErrorCode } from '@parley/contracts/errors';
import { OrderId } from '@parley/contracts/rest';
import type { View } from '@parley/event-log';
import type { OrderRow } from '@parley/projection-orders';
import type { Service } from '@parley/service';
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import { z } from 'zod';
import { resourceOfRow } from './resource.ts';

/** What following orders may cost one instance. */
export interface StreamLimits {
  /** How often a followed order is looked at. */
  readonly lookMs: number;
  /** No stream is silent for longer. */
  readonly silenceMsMax: number;
  /** A stream ends after this time. */
  readonly streamMsMax: number;
  /** Streams that are open at the same time, and those of one customer among them. */
  readonly streamsMax: number;
  readonly streamsOfCustomerMax: number;
  /** When one who got no stream may ask again. */
  readonly retryAfterSeconds: number;
}

const Params = z.object({ orderId: OrderId });

const isFinal = ({ status }: OrderRow): boolean => status === 'SHIPPED' || status === 'CANCELLED';

interface Following extends Pick<StreamLimits, 'lookMs' | 'silenceMsMax'> {
  readonly rowNow: () => OrderRow | undefined;
  readonly isOver: () => boolean;
}

/** Sends the order as it is and whenever it has changed, until it can change no more. A row is replaced, never changed. */
const follow = async (
  stream: SSEStreamingApi,
  { rowNow, isOver, lookMs, silenceMsMax }: Following,
): Promise<void> => {
  let sent: OrderRow | undefined;
  let sentAtMs = performance.now();
  while (!stream.aborted && !stream.closed && !isOver()) {
    const row = rowNow();
    if (row !== undefined && row !== sent) {
      await stream.writeSSE({ event: 'order', id: row.status, data: JSON.stringify(resourceOfRow(row)) });
      [sent, sentAtMs] = [row, performance.now()];
      if (isFinal(row)) return;
    } else if (performance.now() - sentAtMs >= silenceMsMax) {
      await stream.write(': still here\n\n');
      sentAtMs = performance.now();
    }
    await stream.sleep(lookMs);
  }
};

/** The streams that are open. */
class Places {
  readonly #byCustomer = new Map<string, number>();
  readonly #limits: Pick<StreamLimits, 'streamsMax' | 'streamsOfCustomerMax'>;
  #all = 0;

  constructor(limits: Pick<StreamLimits, 'streamsMax' | 'streamsOfCustomerMax'>) {
    this.#limits = limits;
  }

  take(customerId: string): boolean {
    const own = this.#byCustomer.get(customerId) ?? 0;
    if (this.#all >= this.#limits.streamsMax || own >= this.#limits.streamsOfCustomerMax) return false;
    this.#all += 1;
    this.#byCustomer.set(customerId, own + 1);
    return true;
  }

  leave(customerId: string): void {
    const own = (this.#byCustomer.get(customerId) ?? 1) - 1;
    this.#all -= 1;
    if (own === 0) this.#byCustomer.delete(customerId);
    else this.#byCustomer.set(customerId, own);
  }
}

/**
 * Mounts `GET /api/v1/orders/{orderId}/events`: an order as server-sent events. Each event is the whole order, so that
 * none is missed for good; several changes within a look are one event. All streams end as the service begins to stop.
 */
export const mountOrderEvents = (
  service: Service<ErrorCode>,
  orders: Pick<View<OrderRow>, 'get'>,
  limits: StreamLimits,
): void => {
  const { retryAfterSeconds, streamsMax, streamsOfCustomerMax } = limits;
  const places = new Places(limits);
  const { stopping } = service;
  service.http.get('/api/v1/orders/:orderId/events', service.user, service.param(Params), (c) => {
    const customerId = c.get('userId');
    const { orderId } = c.req.valid('param');
    const rowNow = (): OrderRow | undefined => {
      const row = orders.get(orderId);
      return row?.customerId === customerId ? row : undefined;
    };
    const row = rowNow();
    if (row === undefined) return service.problem(c, 'ORDER_NOT_FOUND');
    // A browser's EventSource asks again after every end, and stops at a 204.
    if (isFinal(row) && c.req.header('last-event-id') === row.status) return c.body(null, 204);
    if (stopping.aborted) return service.problem(c, 'NOT_READY', { retryAfterSeconds });
    // Hono answers HEAD by this route and reads no body, so that a stream would never end.
    if (c.req.raw.method === 'HEAD') return c.body(null, 200, { 'content-type': 'text/event-stream' });
    if (!places.take(customerId)) {
      const detail = `At most ${streamsOfCustomerMax} streams of a customer, and ${streamsMax} of all, are open.`;
      return service.problem(c, 'OVERLOADED', { detail, retryAfterSeconds });
    }
    const endAtMs = performance.now() + limits.streamMsMax;
    return streamSSE(c, async (stream) => {
      try {
        const isOver = (): boolean => stopping.aborted || performance.now() >= endAtMs;
        await follow(stream, { ...limits, rowNow, isOver });
      } finally {
        places.leave(customerId);
      }
    });
  });
};

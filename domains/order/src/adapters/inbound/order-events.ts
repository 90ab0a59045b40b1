import type { ErrorCode } from '@parley/contracts/errors';
import { OrderId } from '@parley/contracts/rest';
import type { View } from '@parley/event-log';
import type { OrderRow } from '@parley/projection-orders';
import type { Service } from '@parley/service';
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import { z } from 'zod';
import { resourceOfRow } from './resource.ts';

/** How often a followed order is looked at: a look is one read from memory. */
const LOOK_MS = 100;
/** Nothing is silent for longer: less than whoever is in between waits for (the gateway's route). */
export const SILENCE_MS_MAX = 5_000;
/** Whoever is interested for longer asks again. */
export const STREAM_MS_MAX = 300_000;
/** Of one instance, and of one customer among them: nobody takes all places. */
export const STREAMS_MAX = 1_000;
export const STREAMS_OF_CUSTOMER_MAX = 10;
const RETRY_AFTER_SECONDS = 5;

const Params = z.object({ orderId: OrderId });

const isFinal = ({ status }: OrderRow): boolean => status === 'SHIPPED' || status === 'CANCELLED';

/** Sends the order as it is and whenever it has changed, until it can change no more. A row is replaced, never changed. */
const follow = async (
  stream: SSEStreamingApi,
  { rowNow, isOver }: { readonly rowNow: () => OrderRow | undefined; readonly isOver: () => boolean },
): Promise<void> => {
  let sent: OrderRow | undefined;
  let sentAtMs = performance.now();
  while (!stream.aborted && !stream.closed && !isOver()) {
    const row = rowNow();
    if (row !== undefined && row !== sent) {
      await stream.writeSSE({ event: 'order', id: row.status, data: JSON.stringify(resourceOfRow(row)) });
      [sent, sentAtMs] = [row, performance.now()];
      if (isFinal(row)) return;
    } else if (performance.now() - sentAtMs >= SILENCE_MS_MAX) {
      await stream.write(': still here\n\n');
      sentAtMs = performance.now();
    }
    await stream.sleep(LOOK_MS);
  }
};

/** The streams that are open. */
class Places {
  readonly #byCustomer = new Map<string, number>();
  #all = 0;

  take(customerId: string): boolean {
    const own = this.#byCustomer.get(customerId) ?? 0;
    if (this.#all >= STREAMS_MAX || own >= STREAMS_OF_CUSTOMER_MAX) return false;
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
export const mountOrderEvents = (service: Service<ErrorCode>, orders: Pick<View<OrderRow>, 'get'>): void => {
  const places = new Places();
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
    if (stopping.aborted) return service.problem(c, 'NOT_READY', { retryAfterSeconds: RETRY_AFTER_SECONDS });
    // Hono answers HEAD by this route and reads no body, so that a stream would never end.
    if (c.req.raw.method === 'HEAD') return c.body(null, 200, { 'content-type': 'text/event-stream' });
    if (!places.take(customerId)) {
      const detail = `At most ${STREAMS_OF_CUSTOMER_MAX} streams of a customer, and ${STREAMS_MAX} of all, are open.`;
      return service.problem(c, 'OVERLOADED', { detail, retryAfterSeconds: RETRY_AFTER_SECONDS });
    }
    const endAtMs = performance.now() + STREAM_MS_MAX;
    return streamSSE(c, async (stream) => {
      try {
        await follow(stream, { rowNow, isOver: () => stopping.aborted || performance.now() >= endAtMs });
      } finally {
        places.leave(customerId);
      }
    });
  });
};

import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Endpoints } from '@parley/contracts/endpoints';
import { httpHeaders } from '@parley/contracts/headers';
import {
  NotificationList,
  OrderResource,
  PaymentResource,
  Problem,
  ProductPage,
  ShipmentResource,
} from '@parley/contracts/rest';
import type { z } from 'zod';
import { CommandError, exitCodes, messageOf } from '../cli/exit.ts';

/** One thing that was seen to have happened, in the order of sight. */
export interface FlowStep {
  readonly what: string;
  readonly protocol: string;
  /** Since the order was posted; of the call itself for the steps before. */
  readonly latencyMs: number;
}

/** An order that reached SHIPPED. */
export interface FlowResult {
  readonly orderId: string;
  readonly traceId: string;
  readonly traceUrl: string;
  readonly shippedAfterMs: number;
  readonly steps: readonly FlowStep[];
}

/** Whose order, where, and who is told of each step as it is seen. */
export interface FlowOptions {
  readonly endpoints: Endpoints;
  readonly token: string;
  readonly seen: (step: FlowStep) => void;
}

const deadlineMs = 60_000;
/** With the time of an answer well below what the gateway lets a client ask. */
const pollMs = 20;
const requestTimeoutMs = 10_000;

/** One look at a resource behind the gateway; undefined while it is not there (404). */
type Look = <T>(path: string, schema: z.ZodType<T>) => Promise<T | undefined>;

/** Something on the way that may be over at the next look: a service that is being restarted. */
class PassingError extends Error {}

const passing = new Set([502, 503, 504]);

/** What a refusal says, on one line: the problem document's words, or the start of whatever came. */
const reasonOf = async (response: Response): Promise<string> => {
  const text = (await response.text()).slice(0, 2000);
  try {
    const problem = Problem.parse(JSON.parse(text));
    return `${problem.code}: ${problem.detail ?? problem.title}`;
  } catch {
    return text.replaceAll(/\s+/g, ' ').slice(0, 300);
  }
};

const failed = (message: string, next: string): CommandError =>
  new CommandError(exitCodes.failed, `${message}. ${next}`);

const reach = async (url: string, init: RequestInit): Promise<Response> => {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(requestTimeoutMs) });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new PassingError(`the gateway at ${new URL(url).origin} does not answer (${messageOf(cause)})`);
  }
};

const lookThrough =
  (url: string, headers: Readonly<Record<string, string>>): Look =>
  async (path, schema) => {
    const response = await reach(`${url}${path}`, { headers });
    if (response.status === 404) {
      await response.body?.cancel();
      return undefined;
    }
    if (response.ok) return schema.parse(await response.json());
    const message = `GET ${path} was answered with ${response.status}, ${await reasonOf(response)}`;
    if (passing.has(response.status)) throw new PassingError(message);
    throw failed(message, 'Look into the logs in the run folder');
  };

const cancelled = ({ orderId, cancellation }: OrderResource): CommandError =>
  failed(
    `order ${orderId} was CANCELLED: ${cancellation?.reason ?? 'no reason'}`,
    'Nothing was shipped, and its stock is released. Try again: npm run flow',
  );

/** What follows the answer to the POST, in the order of cause and effect, each with how to see it. Undefined until it has happened. */
const laterSteps = (look: Look, orderId: string): [string, () => Promise<string | undefined>][] => [
  [
    'REST      order → payment',
    async () => {
      const payment = await look(`/api/v1/payments/${orderId}`, PaymentResource);
      if (payment?.status !== 'FAILED')
        return payment?.status === 'COMPLETED' ? 'payment COMPLETED' : undefined;
      throw failed(`the payment of order ${orderId} FAILED`, 'The order is cancelled and its stock released');
    },
  ],
  [
    'Kafka     payment → notification',
    async () => {
      const list = await look(`/api/v1/notifications/${orderId}`, NotificationList);
      const first = list?.items[0];
      return first === undefined ? undefined : `notification ${first.status}`;
    },
  ],
  [
    'RabbitMQ  notification → shipping',
    async () => {
      const shipment = await look(`/api/v1/shipments/${orderId}`, ShipmentResource);
      return shipment === undefined ? undefined : `shipment ${shipment.status}`;
    },
  ],
  [
    'Kafka     shipping → order',
    async () => {
      const order = await look(`/api/v1/orders/${orderId}`, OrderResource);
      if (order?.status === 'CANCELLED') throw cancelled(order);
      return order?.status === 'SHIPPED' ? 'order SHIPPED' : undefined;
    },
  ],
];

const productToOrder = async (look: Look): Promise<string> => {
  const products = await look('/api/v1/products?limit=100', ProductPage);
  const product = products?.items.find((item) => item.stock > 0);
  if (product === undefined)
    throw failed('no product is in stock', 'Start afresh: npm run down, npm run clean, npm run dev');
  return product.productId;
};

/** Looks until something has happened, through passing failures, until `endsAt`. */
const untilSeen = async (
  happened: () => Promise<string | undefined>,
  { what, endsAt }: { readonly what: string; readonly endsAt: number },
): Promise<string> => {
  let last = '';
  for (;;) {
    try {
      const seen = await happened();
      if (seen !== undefined) return seen;
      last = '';
    } catch (error) {
      if (!(error instanceof PassingError)) throw error;
      last = ` (${error.message})`;
    }
    if (performance.now() > endsAt)
      throw failed(
        `nothing seen of "${what}" in ${deadlineMs / 1000} s${last}`,
        'Look at the terminal of npm run dev and into the logs in the run folder',
      );
    await delay(pollMs);
  }
};

/** Places one order; it is sent once, so that what is measured is one request. */
const placeOrder = async (
  { endpoints, token }: FlowOptions,
  { productId, traceId }: { readonly productId: string; readonly traceId: string },
): Promise<{ readonly order: OrderResource; readonly status: number }> => {
  const response = await reach(`${endpoints.gateway.url}/api/v1/orders`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      [httpHeaders.idempotencyKey]: randomUUID(),
      [httpHeaders.traceparent]: `00-${traceId}-${randomBytes(8).toString('hex')}-01`,
    },
    body: JSON.stringify({ productId, quantity: 1 }),
  });
  if (!response.ok)
    throw failed(
      `the order was answered with ${response.status}, ${await reasonOf(response)}`,
      passing.has(response.status)
        ? 'Something is being restarted: try again'
        : 'Look into the logs in the run folder',
    );
  return { order: OrderResource.parse(await response.json()), status: response.status };
};

/**
 * Places an order through the gateway and watches it there until it is SHIPPED, each step as it is seen, in the order of
 * cause and effect. Rejects when it does not get there in 60 s. A service that is restarted on the way is waited for.
 */
export const runFlow = async (options: FlowOptions): Promise<FlowResult> => {
  const { endpoints, token, seen } = options;
  const look = lookThrough(endpoints.gateway.url, { authorization: `Bearer ${token}` });
  const steps: FlowStep[] = [];
  const step = (what: string, protocol: string, latencyMs: number): void => {
    const seenStep = { what, protocol, latencyMs };
    steps.push(seenStep);
    seen(seenStep);
  };
  try {
    const beganAt = performance.now();
    const productId = await productToOrder(look);
    step(`product ${productId} chosen`, 'REST      client → gateway → product', performance.now() - beganAt);

    const traceId = randomBytes(16).toString('hex');
    const postedAt = performance.now();
    const since = (): number => performance.now() - postedAt;
    const { order, status } = await placeOrder(options, { productId, traceId });
    const answeredMs = since();
    if (order.amount !== undefined) step('stock held', 'gRPC      order → product', answeredMs);
    step(`order ${order.status} (${status})`, 'REST      client → gateway → order', answeredMs);

    if (order.status === 'CANCELLED') throw cancelled(order);
    for (const [protocol, happened] of laterSteps(look, order.orderId)) {
      const what = await untilSeen(happened, { what: protocol, endsAt: postedAt + deadlineMs });
      step(what, protocol, since());
    }
    const traceUrl = new URL(`traces/${traceId}`, endpoints.traces.ui).href;
    return { orderId: order.orderId, traceId, traceUrl, shippedAfterMs: since(), steps };
  } catch (error) {
    if (error instanceof PassingError)
      throw failed(error.message, 'See what npm run dev says of it and try again in a few seconds');
    throw error;
  }
};

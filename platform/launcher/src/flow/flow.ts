import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Endpoints } from '@parley/contracts/endpoints';
import { httpHeaders } from '@parley/contracts/headers';
import {
  NotificationList,
  OrderResource,
  PaymentResource,
  ProductPage,
  ShipmentResource,
} from '@parley/contracts/rest';
import type { z } from 'zod';
import { CommandError, exitCodes } from '../cli/exit.ts';

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

const deadlineMs = 30_000;
const pollMs = 10;
const requestTimeoutMs = 10_000;

/** One look at a resource behind the gateway; undefined while it is not there (404). */
type Look = <T>(path: string, schema: z.ZodType<T>) => Promise<T | undefined>;

const failure = async (response: Response, what: string): Promise<CommandError> => {
  const text = (await response.text()).slice(0, 500);
  return new CommandError(exitCodes.failed, `${what} was answered with ${response.status}: ${text}`);
};

const lookThrough =
  (url: string, headers: Readonly<Record<string, string>>): Look =>
  async (path, schema) => {
    const response = await fetch(`${url}${path}`, { headers, signal: AbortSignal.timeout(requestTimeoutMs) });
    if (response.status === 404) {
      await response.body?.cancel();
      return undefined;
    }
    if (!response.ok) throw await failure(response, `GET ${path}`);
    return schema.parse(await response.json());
  };

/** What follows the answer to the POST, each with how to see it. Undefined until it has happened. */
const laterSteps = (look: Look, orderId: string): [string, () => Promise<string | undefined>][] => [
  [
    'REST      order → payment',
    async () => {
      const payment = await look(`/api/v1/payments/${orderId}`, PaymentResource);
      return payment?.status === 'COMPLETED' ? `payment ${payment.status}` : undefined;
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
      if (order?.status === 'CANCELLED')
        throw new CommandError(
          exitCodes.failed,
          `the order was cancelled: ${order.cancellation?.reason ?? 'no reason'}`,
        );
      return order?.status === 'SHIPPED' ? 'order SHIPPED' : undefined;
    },
  ],
];

const productToOrder = async (look: Look): Promise<string> => {
  const products = await look('/api/v1/products?limit=100', ProductPage);
  const product = products?.items.find((item) => item.stock > 0);
  if (product === undefined) throw new CommandError(exitCodes.failed, 'no product is in stock');
  return product.productId;
};

/** Places an order through the gateway and watches it there until it is SHIPPED. Rejects when it does not get there in 30 s. */
export const runFlow = async ({ endpoints, token, seen }: FlowOptions): Promise<FlowResult> => {
  const { url } = endpoints.gateway;
  const authorization = `Bearer ${token}`;
  const steps: FlowStep[] = [];
  const step = (what: string, protocol: string, latencyMs: number): void => {
    const seenStep = { what, protocol, latencyMs };
    steps.push(seenStep);
    seen(seenStep);
  };
  const look = lookThrough(url, { authorization });

  const beganAt = performance.now();
  const productId = await productToOrder(look);
  step(`product ${productId} chosen`, 'REST      client → gateway → product', performance.now() - beganAt);

  const traceId = randomBytes(16).toString('hex');
  const postedAt = performance.now();
  const response = await fetch(`${url}/api/v1/orders`, {
    method: 'POST',
    headers: {
      authorization,
      'content-type': 'application/json',
      [httpHeaders.idempotencyKey]: randomUUID(),
      [httpHeaders.traceparent]: `00-${traceId}-${randomBytes(8).toString('hex')}-01`,
    },
    body: JSON.stringify({ productId, quantity: 1 }),
    signal: AbortSignal.timeout(requestTimeoutMs),
  });
  if (!response.ok) throw await failure(response, 'POST /api/v1/orders');
  const order = OrderResource.parse(await response.json());
  const since = (): number => performance.now() - postedAt;
  if (order.amount !== undefined) step('stock held', 'gRPC      order → product', since());
  step(`order ${order.status} (${response.status})`, 'REST      client → gateway → order', since());

  await Promise.all(
    laterSteps(look, order.orderId).map(async ([protocol, happened]) => {
      for (;;) {
        const what = await happened();
        if (what !== undefined) {
          step(what, protocol, since());
          return;
        }
        if (since() > deadlineMs)
          throw new CommandError(
            exitCodes.failed,
            `order ${order.orderId}: nothing seen of "${protocol}" in 30 s`,
          );
        await delay(pollMs);
      }
    }),
  );
  const shippedAfterMs = steps.at(-1)?.latencyMs ?? since();
  const traceUrl = new URL(`traces/${traceId}`, endpoints.traces.ui).href;
  return { orderId: order.orderId, traceId, traceUrl, shippedAfterMs, steps };
};

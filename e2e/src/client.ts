import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { httpHeaders } from '@parley/contracts/headers';
import { OrderResource } from '@parley/contracts/rest';
import type { z } from 'zod';
import { mintToken, type StackUnderTest } from './stack.ts';
import { NeverError, waitFor } from './wait.ts';

/** Longer than any route of the gateway lasts, so that it is the stack that gives up. */
const requestTimeoutMs = 60_000;

/** One answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
  readonly latencyMs: number;
}

/** What to ask; a body is sent as JSON. */
export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

/** One HTTP request on its own, without retry. Rejects when no answer comes. */
export const ask = async (url: string, { method = 'GET', headers = {}, body }: Ask = {}): Promise<Answer> => {
  const startedAt = performance.now();
  const response = await fetch(url, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(requestTimeoutMs),
  });
  const text = await response.text();
  const latencyMs = Math.round((performance.now() - startedAt) * 10) / 10;
  return { status: response.status, headers: response.headers, body: parsed(text), latencyMs };
};

/** What an order is for; the key is a fresh one when absent. */
export interface OrderWish {
  readonly productId: string;
  readonly quantity: number;
  readonly idempotencyKey?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Below what the gateway lets a client ask in any second, so that no scenario meets the limit by chance. */
const askedPerSecondMax = 80;
/** A gateway that stood still for a moment meets more at once than was asked in any second. */
const refusalsMax = 10;

/** One customer in front of the gateway, who asks no faster than the gateway allows, and asks again when told to wait. */
export class Customer {
  readonly sub: string;
  readonly #url: string;
  readonly #token: string;
  readonly #askedAt: number[] = [];
  #refusals = 0;

  private constructor(sub: string, url: string, token: string) {
    this.sub = sub;
    this.#url = url;
    this.#token = token;
  }

  /** With a token of the stack, for a subject that no other run has. */
  static async of(stack: StackUnderTest, name: string): Promise<Customer> {
    const sub = `${name}-${randomUUID()}`;
    return new Customer(sub, stack.endpoints.gateway.url, await mintToken(stack, { sub }));
  }

  /** Requests that were refused for its rate, and asked again. */
  get refusals(): number {
    return this.#refusals;
  }

  async ask(path: string, { headers = {}, ...rest }: Ask = {}): Promise<Answer> {
    for (let refusals = 0; ; refusals += 1) {
      await this.#turn();
      const answer = await ask(`${this.#url}${path}`, {
        ...rest,
        headers: { authorization: `Bearer ${this.#token}`, ...headers },
      });
      if (answer.status !== 429 || refusals === refusalsMax) return answer;
      this.#refusals += 1;
      await delay(1000 * Number(answer.headers.get('retry-after')));
    }
  }

  async #turn(): Promise<void> {
    for (;;) {
      const nowMs = performance.now();
      while (this.#askedAt[0] !== undefined && nowMs - this.#askedAt[0] > 1000) this.#askedAt.shift();
      const [oldest] = this.#askedAt;
      if (oldest === undefined || this.#askedAt.length < askedPerSecondMax) break;
      await delay(oldest + 1001 - nowMs);
    }
    this.#askedAt.push(performance.now());
  }

  /** The body of a 200; rejects on anything else. */
  async read<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    const answer = await this.ask(path);
    if (answer.status !== 200)
      throw new Error(`GET ${path} was answered with ${answer.status}: ${JSON.stringify(answer.body)}`);
    return schema.parse(answer.body);
  }

  order({ productId, quantity, idempotencyKey = randomUUID(), headers = {} }: OrderWish): Promise<Answer> {
    return this.ask('/api/v1/orders', {
      method: 'POST',
      headers: { [httpHeaders.idempotencyKey]: idempotencyKey, ...headers },
      body: { productId, quantity },
    });
  }

  /** Places an order that must be taken: 201, or 202 when its payment is still due. */
  async ordered(wish: OrderWish): Promise<OrderResource> {
    const answer = await this.order(wish);
    if (answer.status !== 201 && answer.status !== 202)
      throw new Error(`the order was answered with ${answer.status}: ${JSON.stringify(answer.body)}`);
    return OrderResource.parse(answer.body);
  }

  /** The order once it has this status; a cancelled order ends the wait. */
  status(orderId: string, status: OrderResource['status'], deadlineMs: number): Promise<OrderResource> {
    const look = async (): Promise<OrderResource | undefined> => {
      const order = await this.read(`/api/v1/orders/${orderId}`, OrderResource);
      if (order.status === status) return order;
      if (order.status === 'CANCELLED')
        throw new NeverError(`order ${orderId} was CANCELLED: ${order.cancellation?.reason ?? 'no reason'}`);
      return undefined;
    };
    return waitFor(`order ${orderId} ${status}`, look, { deadlineMs });
  }
}

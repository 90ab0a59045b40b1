/** Clients that place one order after the other, while the backlog does not grow. */
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { httpHeaders } from '@parley/contracts/headers';
import { percentile, type Measured } from '../pairs.ts';
import { processorMs } from '../processor-time.ts';
import type { Shipped } from './shipped.ts';

/** Longer than the order service itself takes to give up. */
const REQUEST_TIMEOUT_MS = 15_000; // without a byte
const FAILED = 500;
const TRIES_MAX = 3;
const WARM_UP_MS = 2_500;
const WINDOW_MS = 7_000;
const SHIPPED_DEADLINE_MS = 30_000;
/**
 * Orders that may be placed and not SHIPPED: a client waits while there are more. So what is measured is a rate at which
 * orders are shipped as they come, and no client that outruns the services makes it look higher.
 */
const backlogMaxOf = (clients: number): number => 64 + 2 * clients;

/** Where orders are placed, and whose processor time they cost. */
export interface Target {
  readonly name: string;
  /** The order service's instances. */
  readonly orderUrls: readonly string[];
  readonly products: readonly string[];
  readonly servicePids: readonly number[];
  readonly enginePids: readonly number[];
  /** Of the other side, which has nothing to do meanwhile, and costs something all the same. */
  readonly otherPids: readonly number[];
}

class Clients {
  readonly #target: Target;
  readonly #shipped: Shipped;
  readonly #clients: number;
  readonly #agent: Agent;
  readonly placed: string[] = [];
  readonly latenciesMs: number[] = [];
  /** Answers that an order was not taken, and was sent again after. */
  failures = 0;
  readonly #shippedBefore: number;
  #stopped = false;
  #waiting: Promise<void> | undefined;

  constructor(target: Target, shipped: Shipped, clients: number) {
    this.#target = target;
    this.#shipped = shipped;
    this.#clients = clients;
    this.#agent = new Agent({ keepAlive: true, maxSockets: clients });
    this.#shippedBefore = shipped.count;
  }

  get shipped(): number {
    return this.#shipped.count - this.#shippedBefore;
  }

  get backlog(): number {
    return this.placed.length - this.shipped;
  }

  stop(): void {
    this.#stopped = true;
  }

  close(): void {
    this.#agent.destroy();
  }

  async run(signal: AbortSignal): Promise<void> {
    let next = 0;
    const client = async (): Promise<void> => {
      while (!this.#stopped) {
        signal.throwIfAborted();
        if (this.backlog >= backlogMaxOf(this.#clients)) {
          await this.#more();
          continue;
        }
        const startedAtMs = performance.now();
        this.placed.push(await this.#place(next++));
        this.latenciesMs.push(performance.now() - startedAtMs);
      }
    };
    await Promise.all(Array.from({ length: this.#clients }, client));
  }

  /** Resolves when more orders were seen, or after a request's time: one wait, with one timer, for all clients. */
  #more(): Promise<void> {
    this.#waiting ??= this.#wait().finally(() => {
      this.#waiting = undefined;
    });
    return this.#waiting;
  }

  async #wait(): Promise<void> {
    const over = new AbortController();
    const timer = pause(REQUEST_TIMEOUT_MS, undefined, { ref: false, signal: over.signal });
    try {
      await Promise.race([this.#shipped.more(), timer]);
    } finally {
      over.abort();
    }
  }

  /** Sent again under the same key when the service failed, which is counted. @throws Error when the order is not taken. */
  async #place(index: number): Promise<string> {
    const idempotencyKey = randomUUID();
    for (let tries = 1; ; tries += 1) {
      const { status, body } = await this.#send(index, idempotencyKey);
      if (status === 201 || status === 202) return (body as { readonly orderId: string }).orderId;
      if (status < FAILED || tries === TRIES_MAX)
        throw new Error(`${this.#target.name} answered an order with ${status}: ${JSON.stringify(body)}`);
      this.failures += 1;
    }
  }

  async #send(
    index: number,
    idempotencyKey: string,
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    const { orderUrls, products } = this.#target;
    const answered = Promise.withResolvers<{ readonly status: number; readonly body: unknown }>();
    // Without a signal for each request and a reader of streams: what the client costs slows the side under test.
    const sent = request(`${orderUrls[index % orderUrls.length] ?? ''}/api/v1/orders`, {
      method: 'POST',
      agent: this.#agent,
      timeout: REQUEST_TIMEOUT_MS,
      headers: {
        'content-type': 'application/json',
        [httpHeaders.userId]: 'bench-customer',
        [httpHeaders.idempotencyKey]: idempotencyKey,
      },
    });
    const failed = (cause: Error): void => {
      answered.reject(new Error(`${this.#target.name} did not answer an order: ${cause.message}`, { cause }));
    };
    sent.once('error', failed);
    sent.once('timeout', () => sent.destroy(new Error(`nothing came in ${REQUEST_TIMEOUT_MS} ms`)));
    sent.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.once('error', failed);
      response.once('end', () => {
        try {
          answered.resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) });
        } catch (error) {
          failed(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
    sent.end(JSON.stringify({ productId: products[index % products.length], quantity: 1 }));
    return answered.promise;
  }
}

const allShipped = async (clients: Clients, shipped: Shipped, signal: AbortSignal): Promise<number> => {
  const deadlineAtMs = performance.now() + SHIPPED_DEADLINE_MS;
  const left = (): number => clients.placed.filter((orderId) => !shipped.has(orderId)).length;
  while (left() > 0 && performance.now() < deadlineAtMs) await pause(50, undefined, { signal });
  return clients.placed.length - left();
};

/** Orders SHIPPED a second by so many clients, in a window after a warm-up; the count is that of all orders placed. */
export const runLoad = async (
  target: Target,
  {
    shipped,
    clients,
    signal,
  }: { readonly shipped: Shipped; readonly clients: number; readonly signal: AbortSignal },
): Promise<Measured> => {
  const load = new Clients(target, shipped, clients);
  const sizeBefore = shipped.size;
  const running = load.run(signal);
  running.catch(() => undefined); // awaited below
  const state = () => ({
    atMs: performance.now(),
    shipped: load.shipped,
    backlog: load.backlog,
    servicesMs: processorMs(target.servicePids),
    enginesMs: processorMs(target.enginePids),
    otherMs: processorMs(target.otherPids),
    latencies: load.latenciesMs.length,
  });
  try {
    await Promise.race([running, pause(WARM_UP_MS, undefined, { signal })]);
    const before = state();
    await Promise.race([running, pause(WINDOW_MS, undefined, { signal })]);
    const after = state();
    load.stop();
    await running;
    const count = await allShipped(load, shipped, signal);
    const orders = after.shipped - before.shipped;
    if (orders === 0) throw new Error(`${target.name}: no order was SHIPPED`);
    const latencies = load.latenciesMs.slice(before.latencies, after.latencies);
    return {
      figure: (1_000 * orders) / (after.atMs - before.atMs),
      count,
      expected: load.placed.length,
      also: {
        servicesCpuMs: (after.servicesMs - before.servicesMs) / orders,
        enginesCpuMs: (after.enginesMs - before.enginesMs) / orders,
        otherCpuShare: (after.otherMs - before.otherMs) / (after.atMs - before.atMs),
        p50Ms: percentile(latencies, 0.5),
        p99Ms: percentile(latencies, 0.99),
        failures: load.failures,
        backlogBefore: before.backlog,
        backlogAfter: after.backlog,
        orderRecordBytes:
          (shipped.size.bytes - sizeBefore.bytes) / (shipped.size.records - sizeBefore.records),
      },
    };
  } finally {
    load.stop();
    load.close();
  }
};
